package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.BrickInfo.Persistence;
import io.tesserafs.fabric.pmem.FileIdentity;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * The bytes of answers to the calls of {@link BrickCodec}, little-endian. Each begins with a u32 status (0: done, else why not) and a u32
 * number. What follows depends on the call; after a failure it is a message, UTF-8 to the end.
 *
 * <pre>
 *   OPEN             number: of the client      a description of the brick
 *   INFO             number: 0                  the same
 *   MAP, MAP_SHARED  number: of blocks          see {@link MapAnswers}
 *   LIST             number: of ids             count x u64 block
 *   ATTACH           number: 0                  16 boot id, u32 major, u32 minor, u64 inode of the pool's file
 *   others           number: 0
 * </pre>
 *
 * <p>A description: u64 brick, 16 UUID of the pool, u64 total blocks, u64 free blocks, u32 persistence (0 write-back, 1 msync, 2 none),
 * u32 flags (1 survives reboot, 2 flush blocks, 4 populating pays), path and kind, each a u32 length and UTF-8.
 */
final class BrickAnswers {
    private static final int IDENTITY_BYTES = 32;

    /** As of a path. */
    private static final int MAX_TEXT_BYTES = 4096;

    private static final int DESCRIPTION_BYTES = 68;
    private static final int SURVIVES_REBOOT = 1;
    private static final int BLOCKING_FLUSH = 2;
    private static final int ZERO_FAULT_COST = 4;

    private BrickAnswers() {}

    static ByteBuffer done() {
        return answer(0, 0, 0).flip();
    }

    static ByteBuffer answer(int status, int number, int bodyBytes) {
        return BrickCodec.allocate(BrickCodec.HEADER_BYTES + bodyBytes)
                .putInt(status)
                .putInt(number);
    }

    static ByteBuffer failed(BrickException e) {
        ByteBuffer message = FrameLayout.text(String.valueOf(e.getMessage()));
        return answer(status(e.reason()), 0, message.remaining()).put(message).flip();
    }

    static ByteBuffer attached(FileIdentity file) {
        return BrickCodec.putUuid(answer(0, 0, IDENTITY_BYTES), file.boot())
                .putInt(file.deviceMajor())
                .putInt(file.deviceMinor())
                .putLong(file.inode())
                .flip();
    }

    static FileIdentity takeAttached(ByteBuffer in) throws ProtocolException {
        if (in.remaining() != IDENTITY_BYTES) {
            throw new ProtocolException("the identity of a file in " + in.remaining() + " bytes");
        }
        return new FileIdentity(BrickCodec.takeUuid(in), in.getInt(), in.getInt(), in.getLong());
    }

    static ByteBuffer listed(long... ids) {
        ByteBuffer out = answer(0, ids.length, ids.length * Long.BYTES);
        for (long id : ids) {
            out.putLong(id);
        }
        return out.flip();
    }

    static ByteBuffer described(int client, BrickInfo info) {
        byte[] path = info.path().getBytes(StandardCharsets.UTF_8);
        byte[] kind = info.kind().getBytes(StandardCharsets.UTF_8);
        int flags = (info.survivesReboot() ? SURVIVES_REBOOT : 0)
                | (info.blockingFlush() ? BLOCKING_FLUSH : 0)
                | (info.zeroFaultCost() ? ZERO_FAULT_COST : 0);
        return answer(0, client, DESCRIPTION_BYTES + path.length + kind.length)
                .putLong(info.brick().value())
                .putLong(info.pool().getMostSignificantBits())
                .putLong(info.pool().getLeastSignificantBits())
                .putLong(info.totalBlocks())
                .putLong(info.freeBlocks())
                .putInt(persistence(info.persistence()))
                .putInt(flags)
                .putInt(info.losses())
                .putInt(path.length)
                .put(path)
                .putInt(kind.length)
                .put(kind)
                .flip();
    }

    private static int persistence(Persistence persistence) {
        return switch (persistence) {
            case CACHE_LINE_WRITE_BACK -> 0;
            case MSYNC -> 1;
            case NONE -> 2;
        };
    }

    /** The number in an answer; what follows is left at the buffer's position. */
    static int takeAnswer(ByteBuffer in) throws BrickException, ProtocolException {
        if (in.remaining() < BrickCodec.HEADER_BYTES) {
            throw new ProtocolException("an answer about a brick that is cut off");
        }
        int status = in.getInt();
        int number = in.getInt();
        if (status != 0) {
            throw new BrickException(reason(status), FrameLayout.text(in));
        }
        return number;
    }

    static long[] takeListed(int count, ByteBuffer in) throws ProtocolException {
        if (count < 0 || count > BrickCodec.MAX_IDS || in.remaining() != count * Long.BYTES) {
            throw new ProtocolException("a list of " + count + " ids in " + in.remaining() + " bytes");
        }
        long[] ids = new long[count];
        in.asLongBuffer().get(ids);
        return ids;
    }

    static BrickInfo takeDescription(ByteBuffer in) throws ProtocolException {
        try {
            BrickId brick = BrickCodec.takeBrick(in);
            UUID pool = BrickCodec.takeUuid(in);
            long total = in.getLong();
            long free = in.getLong();
            int code = in.getInt();
            Persistence persistence = switch (code) {
                case 0 -> Persistence.CACHE_LINE_WRITE_BACK;
                case 1 -> Persistence.MSYNC;
                case 2 -> Persistence.NONE;
                default -> throw new ProtocolException("unknown persistence " + code);
            };
            int flags = in.getInt();
            int losses = in.getInt();
            String path = takeText(in);
            String kind = takeText(in);
            return new BrickInfo(
                    brick,
                    pool,
                    path,
                    kind,
                    persistence,
                    total,
                    free,
                    (flags & SURVIVES_REBOOT) != 0,
                    (flags & BLOCKING_FLUSH) != 0,
                    (flags & ZERO_FAULT_COST) != 0,
                    losses);
        } catch (BufferUnderflowException e) {
            throw new ProtocolException("a description of a brick that is cut off");
        }
    }

    static String takeText(ByteBuffer in) throws ProtocolException {
        int length = in.getInt();
        if (length < 0 || length > MAX_TEXT_BYTES || length > in.remaining()) {
            throw new ProtocolException("a text of " + length + " bytes");
        }
        String text = FrameLayout.text(in.slice(in.position(), length));
        in.position(in.position() + length);
        return text;
    }

    static int status(Reason reason) {
        return switch (reason) {
            case EXISTS -> 1;
            case NO_SPACE -> 2;
            case NOT_FOUND -> 3;
            case DEAD_HANDLE -> 4;
            case OUT_OF_BOUNDS -> 5;
            case ACCESS -> 6;
            case FENCED -> 7;
            case CORRUPT -> 8;
            case IO -> 9;
            case UNREACHABLE -> 10;
            case STILL_MAPPED -> 11;
        };
    }

    static Reason reason(int status) throws ProtocolException {
        return switch (status) {
            case 1 -> Reason.EXISTS;
            case 2 -> Reason.NO_SPACE;
            case 3 -> Reason.NOT_FOUND;
            case 4 -> Reason.DEAD_HANDLE;
            case 5 -> Reason.OUT_OF_BOUNDS;
            case 6 -> Reason.ACCESS;
            case 7 -> Reason.FENCED;
            case 8 -> Reason.CORRUPT;
            case 9 -> Reason.IO;
            case 10 -> Reason.UNREACHABLE;
            case 11 -> Reason.STILL_MAPPED;
            default -> throw new ProtocolException("unknown failure of a brick, " + status);
        };
    }
}
