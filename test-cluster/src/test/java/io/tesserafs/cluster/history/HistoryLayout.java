package io.tesserafs.cluster.history;

import io.tesserafs.cluster.history.Operation.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The file in which one process records its operations; {@code history.h} writes it, through a mapping, so that it survives SIGKILL of its
 * writer. Little-endian. A header, then records up to the first of kind 0 or the end of the file.
 *
 * <pre>
 * header, 64 bytes                    record, 40 bytes
 *   0 u64 magic "TSRHIST1"              0 u32 kind: 0 none, 1 read, 2 write
 *   8 u32 process                       4 u32 state: 0 outcome unknown, 1 done
 *  12 .. 63 zero                        8 u64 register, offset in the file
 *                                      16 u64 value
 *                                      24 u64 begin, ns
 *                                      32 u64 end, ns; zero while the state is 0
 * </pre>
 */
public final class HistoryLayout {
    static final long MAGIC = 0x3154_5349_4852_5354L; // "TSRHIST1"
    static final int PROCESS = 8;
    static final int HEADER_BYTES = 64;

    static final int KIND = 0;
    static final int STATE = 4;
    static final int REGISTER = 8;
    static final int VALUE = 16;
    static final int BEGIN = 24;
    static final int END = 32;
    static final int RECORD_BYTES = 40;

    static final int READ = 1;
    static final int WRITE = 2;
    static final int DONE = 1;

    private HistoryLayout() {}

    /** All operations in these files; reads without an answer say nothing and are left out. */
    public static List<Operation> read(List<Path> files) throws IOException {
        List<Operation> all = new ArrayList<>();
        for (Path file : files) {
            all.addAll(decode(Files.readAllBytes(file)));
        }
        return all;
    }

    static List<Operation> decode(byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.length < HEADER_BYTES || buffer.getLong(0) != MAGIC) {
            throw new IOException("not a history");
        }
        int process = buffer.getInt(PROCESS);
        List<Operation> operations = new ArrayList<>();
        for (int at = HEADER_BYTES; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
            int kind = buffer.getInt(at + KIND);
            if (kind == 0) {
                break;
            }
            if (kind != READ && kind != WRITE) {
                throw new IOException("kind " + kind + " at byte " + at + " of a history");
            }
            boolean done = buffer.getInt(at + STATE) == DONE;
            if (done || kind == WRITE) {
                operations.add(new Operation(
                        process,
                        kind == WRITE ? Kind.WRITE : Kind.READ,
                        buffer.getLong(at + REGISTER),
                        buffer.getLong(at + VALUE),
                        buffer.getLong(at + BEGIN),
                        done ? buffer.getLong(at + END) : Operation.UNKNOWN));
            }
        }
        return operations;
    }
}
