package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;

/** The part of a pool's file before its blocks, taken from and put into real files. */
final class TestPools {
    static final int HEADER_A = 0;
    static final int HEADER_B = 64 << 10;
    static final int HEADER_BYTES = 512;
    static final int TABLE_A = 128 << 10;
    static final int TABLE_B = TABLE_A + (64 << 10);
    static final int TABLE_BYTES = 31 * 16;

    private TestPools() {}

    static Path create(Path path) throws IOException {
        Pool.create(path, Pool.MIN_BYTES, "test", 1);
        return path;
    }

    static byte[] head(Path path) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r")) {
            byte[] head = new byte[TABLE_B + 4096];
            file.readFully(head);
            return head;
        }
    }

    static void putHead(Path path, byte[] head) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.write(head);
        }
    }
}
