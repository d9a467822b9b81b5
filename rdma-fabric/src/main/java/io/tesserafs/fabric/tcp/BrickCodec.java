package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.BrickInfo.Persistence;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.FileIdentity;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The bytes of calls to bricks, little-endian. A request begins with a u16 operation, a u16 that is zero, and the u32 number of the
 * client (0 in OPEN and FORGET); then follow
 *
 * <pre>
 *   1 OPEN   u64 brick, u64 session     4 ALLOC  u32 count, u32 0, count x u64 block    7 UNMAP  16 key
 *   2 CLOSE                             5 FREE   the same                               8 LIST   u64 block, u32 max
 *   3 INFO                              6 MAP    u64 block, u32 access (0 read, 1 both) 9 FENCE  u64 session
 *   10 ATTACH      16 boot id, u64 pid namespace, u64 pid, u64 start time in ticks
 *   11 MAP_SHARED  u64 block, u32 access
 *   12 FORGET      u32 count, u32 0, count x 16 ticket of a connection
 * </pre>
 *
 * <p>An answer begins with a u32 status (0: done, else why not) and a u32 that is the number of the client after OPEN, the number of
 * ids after LIST, and else 0. After OPEN and INFO a description of the brick follows, after MAP and MAP_SHARED the key (16
 * bytes) with the block's index in the pool as the number, after ATTACH 16 boot id, u32 major, u32 minor and u64 inode of the file, after
 * LIST the ids; after a failure a message, UTF-8 to the end. Description: u64 brick, 16 UUID of the pool, u64 total blocks, u64 free
 * blocks, u32 persistence (0 write-back, 1 msync, 2 none), u32 flags (1 survives reboot, 2 flush blocks, 4 populating pays), path and
 * kind, each a u32 length and UTF-8.
 */
final class BrickCodec {
    static final int OPEN = 1;
    static final int CLOSE = 2;
    static final int INFO = 3;
    static final int ALLOC = 4;
    static final int FREE = 5;
    static final int MAP = 6;
    static final int UNMAP = 7;
    static final int LIST = 8;
    static final int FENCE = 9;
    static final int ATTACH = 10;
    static final int MAP_SHARED = 11;
    static final int FORGET = 12;

    static final int HEADER_BYTES = 8;
    static final int KEY_BYTES = 16;
    private static final int PROCESS_BYTES = 40;
    private static final int IDENTITY_BYTES = 32;

    /** Of one call; 128 GiB worth of blocks, half a MiB on the wire. */
    static final int MAX_IDS = 64 << 10;

    /** Of one call; a peer forgets what it lost as soon as it is back. */
    static final int MAX_TICKETS = 1024;

    /** As of a path. */
    private static final int MAX_TEXT_BYTES = 4096;

    private static final int DESCRIPTION_BYTES = 64;
    private static final int SURVIVES_REBOOT = 1;
    private static final int BLOCKING_FLUSH = 2;
    private static final int ZERO_FAULT_COST = 4;

    private BrickCodec() {}

    static ByteBuffer encode(BrickRequest request) {
        return switch (request) {
            case BrickRequest.Open r ->
                header(OPEN, 0, 16)
                        .putLong(r.brick().value())
                        .putLong(r.session().value())
                        .flip();
            case BrickRequest.Close r -> header(CLOSE, r.client(), 0).flip();
            case BrickRequest.Describe r -> header(INFO, r.client(), 0).flip();
            case BrickRequest.Alloc r -> ids(ALLOC, r.client(), r.ids());
            case BrickRequest.Free r -> ids(FREE, r.client(), r.ids());
            case BrickRequest.Map r ->
                header(MAP, r.client(), 12)
                        .putLong(r.block().value())
                        .putInt(code(r.access()))
                        .flip();
            case BrickRequest.Forget r -> {
                int count = r.connections().size();
                ByteBuffer out = header(FORGET, 0, 8 + count * GreetingLayout.TICKET_BYTES)
                        .putInt(count)
                        .putInt(0);
                r.connections().forEach(ticket -> out.put(ticket.encode()));
                yield out.flip();
            }
            case BrickRequest.MapShared r ->
                header(MAP_SHARED, r.client(), 12)
                        .putLong(r.block().value())
                        .putInt(code(r.access()))
                        .flip();
            case BrickRequest.Attach r ->
                putProcess(header(ATTACH, r.client(), PROCESS_BYTES), r.process())
                        .flip();
            case BrickRequest.Unmap r ->
                putKey(header(UNMAP, r.client(), KEY_BYTES), r.key()).flip();
            case BrickRequest.ListIds r ->
                header(LIST, r.client(), 12)
                        .putLong(r.from().value())
                        .putInt(r.max())
                        .flip();
            case BrickRequest.Fence r ->
                header(FENCE, r.client(), 8).putLong(r.victim().value()).flip();
        };
    }

    private static ByteBuffer header(int operation, int client, int bodyBytes) {
        return allocate(HEADER_BYTES + bodyBytes)
                .putShort((short) operation)
                .putShort((short) 0)
                .putInt(client);
    }

    private static ByteBuffer allocate(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static ByteBuffer ids(int operation, int client, List<BlockId> ids) {
        ByteBuffer out = header(operation, client, 8 + ids.size() * Long.BYTES)
                .putInt(ids.size())
                .putInt(0);
        ids.forEach(id -> out.putLong(id.value()));
        return out.flip();
    }

    private static int code(Access access) {
        return switch (access) {
            case READ -> 0;
            case READ_WRITE -> 1;
        };
    }

    static ByteBuffer putKey(ByteBuffer out, HandleKey key) {
        return out.putLong(key.high()).putLong(key.low());
    }

    static HandleKey takeKey(ByteBuffer in) {
        return new HandleKey(in.getLong(), in.getLong());
    }

    private static ByteBuffer putProcess(ByteBuffer out, HostProcess process) {
        return putUuid(out, process.boot())
                .putLong(process.pidNamespace())
                .putLong(process.pid())
                .putLong(process.startTicks());
    }

    private static HostProcess takeProcess(ByteBuffer in) {
        return new HostProcess(takeUuid(in), in.getLong(), in.getLong(), in.getLong());
    }

    private static ByteBuffer putUuid(ByteBuffer out, UUID uuid) {
        return out.putLong(uuid.getMostSignificantBits()).putLong(uuid.getLeastSignificantBits());
    }

    private static UUID takeUuid(ByteBuffer in) {
        return new UUID(in.getLong(), in.getLong());
    }

    static BrickRequest decode(ByteBuffer in) throws ProtocolException {
        try {
            in.order(ByteOrder.LITTLE_ENDIAN);
            int operation = in.getShort() & 0xFFFF;
            if (in.getShort() != 0) {
                throw new ProtocolException("a brick call with reserved bits set");
            }
            int client = in.getInt();
            BrickRequest request = switch (operation) {
                case OPEN -> new BrickRequest.Open(takeBrick(in), new SessionId(in.getLong()));
                case CLOSE -> new BrickRequest.Close(client);
                case INFO -> new BrickRequest.Describe(client);
                case ALLOC -> new BrickRequest.Alloc(client, takeIds(in));
                case FREE -> new BrickRequest.Free(client, takeIds(in));
                case MAP -> new BrickRequest.Map(client, new BlockId(in.getLong()), takeAccess(in));
                case MAP_SHARED -> new BrickRequest.MapShared(client, new BlockId(in.getLong()), takeAccess(in));
                case FORGET -> new BrickRequest.Forget(takeTickets(in));
                case ATTACH -> new BrickRequest.Attach(client, takeProcess(in));
                case UNMAP -> new BrickRequest.Unmap(client, takeKey(in));
                case LIST -> new BrickRequest.ListIds(client, new BlockId(in.getLong()), takeMax(in));
                case FENCE -> new BrickRequest.Fence(client, new SessionId(in.getLong()));
                default -> throw new ProtocolException("unknown brick call " + operation);
            };
            if (in.hasRemaining()) {
                throw new ProtocolException("a brick call with " + in.remaining() + " bytes too many");
            }
            return request;
        } catch (BufferUnderflowException e) {
            throw new ProtocolException("a brick call that is cut off");
        }
    }

    private static BrickId takeBrick(ByteBuffer in) throws ProtocolException {
        long value = in.getLong();
        if (value < 1 || value > 0xFFFF) {
            throw new ProtocolException("no brick can have the number " + value);
        }
        return new BrickId((int) value);
    }

    private static List<BlockId> takeIds(ByteBuffer in) throws ProtocolException {
        int count = in.getInt();
        if (in.getInt() != 0 || count < 0 || count > MAX_IDS || in.remaining() != count * Long.BYTES) {
            throw new ProtocolException("a brick call with " + count + " ids in " + in.remaining() + " bytes");
        }
        List<BlockId> ids = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            ids.add(new BlockId(in.getLong()));
        }
        return ids;
    }

    private static List<Ticket> takeTickets(ByteBuffer in) throws ProtocolException {
        int count = in.getInt();
        if (in.getInt() != 0
                || count < 0
                || count > MAX_TICKETS
                || in.remaining() != count * GreetingLayout.TICKET_BYTES) {
            throw new ProtocolException("a brick call with " + count + " tickets in " + in.remaining() + " bytes");
        }
        List<Ticket> tickets = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            tickets.add(new Ticket(in.getLong(), in.getLong()));
        }
        return tickets;
    }

    private static Access takeAccess(ByteBuffer in) throws ProtocolException {
        int code = in.getInt();
        return switch (code) {
            case 0 -> Access.READ;
            case 1 -> Access.READ_WRITE;
            default -> throw new ProtocolException("unknown access " + code);
        };
    }

    private static int takeMax(ByteBuffer in) throws ProtocolException {
        int max = in.getInt();
        if (max < 0) {
            throw new ProtocolException("a list of " + max);
        }
        return max;
    }

    static ByteBuffer done() {
        return answer(0, 0, 0).flip();
    }

    private static ByteBuffer answer(int status, int number, int bodyBytes) {
        return allocate(HEADER_BYTES + bodyBytes).putInt(status).putInt(number);
    }

    static ByteBuffer failed(BrickException e) {
        ByteBuffer message = FrameLayout.text(String.valueOf(e.getMessage()));
        return answer(status(e.reason()), 0, message.remaining()).put(message).flip();
    }

    static ByteBuffer mapped(HandleKey key, int index) {
        return putKey(answer(0, index, KEY_BYTES), key).flip();
    }

    static ByteBuffer attached(FileIdentity file) {
        return putUuid(answer(0, 0, IDENTITY_BYTES), file.boot())
                .putInt(file.deviceMajor())
                .putInt(file.deviceMinor())
                .putLong(file.inode())
                .flip();
    }

    static FileIdentity takeAttached(ByteBuffer in) throws ProtocolException {
        if (in.remaining() != IDENTITY_BYTES) {
            throw new ProtocolException("the identity of a file in " + in.remaining() + " bytes");
        }
        return new FileIdentity(takeUuid(in), in.getInt(), in.getInt(), in.getLong());
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
        if (in.remaining() < HEADER_BYTES) {
            throw new ProtocolException("an answer about a brick that is cut off");
        }
        int status = in.getInt();
        int number = in.getInt();
        if (status != 0) {
            throw new BrickException(reason(status), FrameLayout.text(in));
        }
        return number;
    }

    static HandleKey takeMapped(ByteBuffer in) throws ProtocolException {
        if (in.remaining() != KEY_BYTES) {
            throw new ProtocolException("a key of " + in.remaining() + " bytes");
        }
        return takeKey(in);
    }

    static long[] takeListed(int count, ByteBuffer in) throws ProtocolException {
        if (count < 0 || count > MAX_IDS || in.remaining() != count * Long.BYTES) {
            throw new ProtocolException("a list of " + count + " ids in " + in.remaining() + " bytes");
        }
        long[] ids = new long[count];
        in.asLongBuffer().get(ids);
        return ids;
    }

    static BrickInfo takeDescription(ByteBuffer in) throws ProtocolException {
        try {
            BrickId brick = takeBrick(in);
            UUID pool = takeUuid(in);
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
                    (flags & ZERO_FAULT_COST) != 0);
        } catch (BufferUnderflowException e) {
            throw new ProtocolException("a description of a brick that is cut off");
        }
    }

    private static String takeText(ByteBuffer in) throws ProtocolException {
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
