package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * What travels on a lane: one request, its answer, the next request. Little-endian.
 *
 * <p>Request, 64 bytes; after that of a WRITE the bytes to write. Bytes 6..7 and 56..63 are reserved and zero. After a FLUSH_ALL come as many bytes of
 * ranges, 32 for each: key of the handle, u64 offset in the block, u64 length; key and offset of the request are not used.
 *
 * <pre>
 *   0  u32  magic "TSL1"        24  u64  session
 *   4  u16  1 READ, 2 WRITE,    32  u64  offset in the block
 *           3 FLUSH,            40  u64  length, at most that of a block
 *           4 FLUSH_ALL
 *   8  16   key of the handle   48  u64  number of the request on this lane
 * </pre>
 *
 * <p>Answer, 16 bytes: u32 magic "TSL2", u32 status (0: done; else a reason as in {@link BrickAnswers}), u64 number of the request. A READ
 * is answered in chunks of {@link #CHUNK_BYTES}, the last one shorter, each of which is such an answer and its bytes; one that is not
 * done has none, and is the last.
 */
final class LaneLayout {
    static final int REQUEST_MAGIC = 0x314C5354;
    static final int ANSWER_MAGIC = 0x324C5354;

    static final int MAGIC_AT = 0; // u32
    static final int OPERATION_AT = 4; // u16
    static final int RESERVED_AT = 6; // u16
    static final int KEY_AT = 8; // 16 bytes
    static final int SESSION_AT = 24; // u64
    static final int OFFSET_AT = 32; // u64
    static final int LENGTH_AT = 40; // u64
    static final int NUMBER_AT = 48; // u64
    static final int RESERVED_TOO_AT = 56; // u64
    static final int REQUEST_BYTES = 64;

    static final int RANGE_BYTES = 32;
    /** In one FLUSH_ALL. */
    static final int MAX_RANGES = 256;

    static final int STATUS_AT = 4; // u32
    static final int ANSWER_NUMBER_AT = 8; // u64
    static final int ANSWER_BYTES = 16;

    /** Fits a core's cache, and is the longest that a handle stays busy with a peer's bytes. */
    static final int CHUNK_BYTES = 128 << 10;

    private LaneLayout() {}

    /** What a request wants. */
    enum Operation {
        READ(1),
        WRITE(2),
        FLUSH(3),
        FLUSH_ALL(4);

        private final int code;

        Operation(int code) {
            this.code = code;
        }

        private static @Nullable Operation of(int code) {
            return switch (code) {
                case 1 -> READ;
                case 2 -> WRITE;
                case 3 -> FLUSH;
                case 4 -> FLUSH_ALL;
                default -> null;
            };
        }
    }

    record Request(Operation operation, HandleKey key, SessionId session, long offset, long length, long number) {}

    /** Of a FLUSH_ALL. */
    record Range(HandleKey key, long offset, long length) {}

    /** At the buffer's position, which advances. */
    static void put(
            ByteBuffer out,
            Operation operation,
            HandleKey key,
            SessionId session,
            long offset,
            long length,
            long number) {
        out.putInt(REQUEST_MAGIC).putShort((short) operation.code).putShort((short) 0);
        out.putLong(key.high()).putLong(key.low());
        out.putLong(session.value())
                .putLong(offset)
                .putLong(length)
                .putLong(number)
                .putLong(0);
    }

    /** From the start of the buffer. A request whose length cannot be is refused: what follows it cannot be told apart. */
    static Request request(ByteBuffer in, int maxLength) throws ProtocolException {
        Operation operation = Operation.of(in.getShort(OPERATION_AT) & 0xFFFF);
        if (in.getInt(MAGIC_AT) != REQUEST_MAGIC
                || operation == null
                || in.getShort(RESERVED_AT) != 0
                || in.getLong(RESERVED_TOO_AT) != 0) {
            throw new ProtocolException("not a request of a lane");
        }
        long length = in.getLong(LENGTH_AT);
        boolean ranges = operation == Operation.FLUSH_ALL;
        if (length < 0
                || length > (ranges ? MAX_RANGES * RANGE_BYTES : maxLength)
                || ranges && length % RANGE_BYTES != 0) {
            throw new ProtocolException(operation + " of " + length + " bytes");
        }
        return new Request(
                operation,
                new HandleKey(in.getLong(KEY_AT), in.getLong(KEY_AT + 8)),
                new SessionId(in.getLong(SESSION_AT)),
                in.getLong(OFFSET_AT),
                length,
                in.getLong(NUMBER_AT));
    }

    /** Of a FLUSH_ALL. At the buffer's position, which advances. */
    static void putRange(ByteBuffer out, HandleKey key, long offset, long length) {
        out.putLong(key.high()).putLong(key.low()).putLong(offset).putLong(length);
    }

    /** At the buffer's position, which advances. */
    static Range takeRange(ByteBuffer in) {
        return new Range(new HandleKey(in.getLong(), in.getLong()), in.getLong(), in.getLong());
    }

    /** At the buffer's position, which advances. */
    static void putAnswer(ByteBuffer out, int status, long number) {
        out.putInt(ANSWER_MAGIC).putInt(status).putLong(number);
    }

    /** The status in an answer at the start of the buffer. */
    static int status(ByteBuffer in, long number) throws ProtocolException {
        if (in.getInt(MAGIC_AT) != ANSWER_MAGIC || in.getLong(ANSWER_NUMBER_AT) != number) {
            throw new ProtocolException("not the answer to the request");
        }
        return in.getInt(STATUS_AT);
    }
}
