package io.tesserafs.fuse;

import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Writes a file through a shared mapping, in a process of its own: a page fault in the process that serves it could wait for a reader
 * thread that waits for a garbage collection that waits for the faulting thread.
 */
public final class MapTool {
    private MapTool() {}

    /** Arguments: file, bytes. Each page gets its number, then all are read back. */
    public static void main(String[] args) throws IOException {
        long bytes = Long.parseLong(args[1]);
        try (FileChannel file = FileChannel.open(
                Path.of(args[0]), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MappedByteBuffer map = file.map(FileChannel.MapMode.READ_WRITE, 0, bytes);
            for (int at = 0; at < bytes; at += 4096) {
                map.putInt(at, at / 4096);
            }
            map.force();
            for (int at = 0; at < bytes; at += 4096) {
                if (map.getInt(at) != at / 4096) {
                    throw new IOException("page " + at / 4096 + " holds " + map.getInt(at));
                }
            }
        }
        System.out.println("mapped");
    }
}
