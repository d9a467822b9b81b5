package io.tesserafs.cluster.history;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The records that {@code appender.c} appends to a shared file, and the journal, outside of the file system under test, in which it notes
 * what became of each. Little-endian. A record follows from its writer and number alone, so it needs no checksum.
 *
 * <pre>
 * record, 24 + 8 * payload words      journal, 64 bytes + one per record
 *   0 u64 magic "TSRAPPND"              0 u64 magic "TSRAJRN1"
 *   8 u32 writer                        8 u32 writer
 *  12 u32 length of the record         12 .. 63 zero
 *  16 u64 number, from 0               64 + number: 0 not tried, 1 outcome unknown, 2 confirmed
 *  24 payload: word i is mix(writer, number, i)
 * </pre>
 */
public final class AppendLayout {
    static final long MAGIC = 0x444e_5050_4152_5354L; // "TSRAPPND"
    static final int WRITER = 8;
    static final int LENGTH = 12;
    static final int NUMBER = 16;
    static final int HEADER_BYTES = 24;

    /** The payload is shorter than this many words, so that records straddle pages now and then. */
    static final int MAX_WORDS = 200;

    static final long JOURNAL_MAGIC = 0x314e_524a_4152_5354L; // "TSRAJRN1"
    static final int JOURNAL_HEADER_BYTES = 64;
    static final byte UNKNOWN = 1;
    static final byte CONFIRMED = 2;

    private AppendLayout() {}

    /** What one writer noted: the state of each record, by number. */
    public record Journal(int writer, byte[] states) {
        public static Journal read(Path file) throws IOException {
            byte[] bytes = Files.readAllBytes(file);
            ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            if (bytes.length < JOURNAL_HEADER_BYTES || buffer.getLong(0) != JOURNAL_MAGIC) {
                throw new IOException(file + " is not an append journal");
            }
            return new Journal(buffer.getInt(WRITER), Arrays.copyOfRange(bytes, JOURNAL_HEADER_BYTES, bytes.length));
        }

        /** Records confirmed. */
        public int confirmed() {
            int n = 0;
            for (byte state : states) {
                n += state == CONFIRMED ? 1 : 0;
            }
            return n;
        }

        byte state(long number) {
            return number >= 0 && number < states.length ? states[(int) number] : 0;
        }
    }

    static long mix(long writer, long number, long word) {
        long z = writer * 0x9E37_79B9_7F4A_7C15L + number * 0xBF58_476D_1CE4_E5B9L + word * 0x94D0_49BB_1331_11EBL;
        z = (z ^ (z >>> 30)) * 0xBF58_476D_1CE4_E5B9L;
        return z ^ (z >>> 27);
    }

    static byte[] record(int writer, long number) {
        int words = (int) Long.remainderUnsigned(mix(writer, number, -1), MAX_WORDS);
        ByteBuffer buffer = ByteBuffer.allocate(HEADER_BYTES + 8 * words).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putLong(MAGIC).putInt(writer).putInt(buffer.capacity()).putLong(number);
        for (int i = 0; i < words; i++) {
            buffer.putLong(mix(writer, number, i));
        }
        return buffer.array();
    }
}
