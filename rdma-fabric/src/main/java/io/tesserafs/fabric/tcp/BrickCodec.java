package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The bytes of calls to bricks, little-endian. A request begins with a u16 operation, a u16 that is zero, and the u32 number of the
 * client (0 in OPEN and FORGET); then follow
 *
 * <pre>
 *   1 OPEN   u64 brick, u64 session     4 ALLOC  u32 count, u32 0, count x u64 block    8 LIST   u64 block, u32 max
 *   2 CLOSE                             5 FREE   the same                               9 FENCE  u64 session
 *   3 INFO
 *   6 MAP          u32 access (0 read, 1 both), u32 number of a queue pair, u32 how many of the handles get keys for that, u32 0,
 *                  u32 count, u32 0, count x u64 block
 *   7 UNMAP        u32 count, u32 0, count x 16 key
 *   10 ATTACH      16 boot id, u64 pid namespace, u64 pid, u64 start time in ticks
 *   11 MAP_SHARED  u32 access, u32 0, u32 count, u32 0, count x u64 block
 *   12 FORGET      u32 count, u32 0, count x 16 ticket of a connection
 * </pre>
 *
 * <p>Answers are {@link BrickAnswers}'.
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

    /** Of one call; 128 GiB worth of blocks, half a MiB on the wire. */
    static final int MAX_IDS = 64 << 10;

    /** Of blocks that one call maps: so many that calls do not count, so few that others get their turn. */
    static final int MAX_MAPS = 1024;

    /** Of handles that one call ends: the same. */
    static final int MAX_UNMAPS = 1024;

    /** Of handles that get keys in one call. Each may take as long as to pin a block's pages. */
    static final int MAX_KEYS = 32;

    /** Of one call; a peer forgets what it lost as soon as it is back. */
    static final int MAX_TICKETS = 1024;

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
                putIds(
                                header(MAP, r.client(), 24 + r.blocks().size() * Long.BYTES)
                                        .putInt(code(r.access()))
                                        .putInt(r.queuePair())
                                        .putInt(r.keys())
                                        .putInt(0),
                                r.blocks())
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
                putIds(
                                header(MAP_SHARED, r.client(), 16 + r.blocks().size() * Long.BYTES)
                                        .putInt(code(r.access()))
                                        .putInt(0),
                                r.blocks())
                        .flip();
            case BrickRequest.Attach r ->
                putProcess(header(ATTACH, r.client(), PROCESS_BYTES), r.process())
                        .flip();
            case BrickRequest.Unmap r -> {
                ByteBuffer out = header(UNMAP, r.client(), 8 + r.keys().size() * KEY_BYTES)
                        .putInt(r.keys().size())
                        .putInt(0);
                r.keys().forEach(key -> putKey(out, key));
                yield out.flip();
            }
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

    static ByteBuffer allocate(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static ByteBuffer ids(int operation, int client, List<BlockId> ids) {
        return putIds(header(operation, client, 8 + ids.size() * Long.BYTES), ids)
                .flip();
    }

    private static ByteBuffer putIds(ByteBuffer out, List<BlockId> ids) {
        out.putInt(ids.size()).putInt(0);
        ids.forEach(id -> out.putLong(id.value()));
        return out;
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

    static ByteBuffer putUuid(ByteBuffer out, UUID uuid) {
        return out.putLong(uuid.getMostSignificantBits()).putLong(uuid.getLeastSignificantBits());
    }

    static UUID takeUuid(ByteBuffer in) {
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
                case ALLOC -> new BrickRequest.Alloc(client, takeIds(in, MAX_IDS));
                case FREE -> new BrickRequest.Free(client, takeIds(in, MAX_IDS));
                case MAP -> takeMap(client, in);
                case MAP_SHARED -> new BrickRequest.MapShared(client, access(takePadded(in)), takeIds(in, MAX_MAPS));
                case FORGET -> new BrickRequest.Forget(takeTickets(in));
                case ATTACH -> new BrickRequest.Attach(client, takeProcess(in));
                case UNMAP -> new BrickRequest.Unmap(client, takeKeys(in));
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

    static BrickId takeBrick(ByteBuffer in) throws ProtocolException {
        long value = in.getLong();
        if (value < 1 || value > 0xFFFF) {
            throw new ProtocolException("no brick can have the number " + value);
        }
        return new BrickId((int) value);
    }

    private static BrickRequest.Map takeMap(int client, ByteBuffer in) throws ProtocolException {
        Access access = access(in.getInt());
        int queuePair = in.getInt();
        int keys = takePadded(in);
        List<BlockId> blocks = takeIds(in, MAX_MAPS);
        if (keys < 0 || keys > Math.min(MAX_KEYS, blocks.size())) {
            throw new ProtocolException("a brick call for " + keys + " keys to " + blocks.size() + " blocks");
        }
        return new BrickRequest.Map(client, access, queuePair, keys, blocks);
    }

    private static List<HandleKey> takeKeys(ByteBuffer in) throws ProtocolException {
        int count = in.getInt();
        if (in.getInt() != 0 || count < 0 || count > MAX_UNMAPS || in.remaining() != count * KEY_BYTES) {
            throw new ProtocolException("a brick call with " + count + " keys in " + in.remaining() + " bytes");
        }
        List<HandleKey> keys = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            keys.add(takeKey(in));
        }
        return keys;
    }

    private static List<BlockId> takeIds(ByteBuffer in, int most) throws ProtocolException {
        int count = in.getInt();
        if (in.getInt() != 0 || count < 0 || count > most || in.remaining() != count * Long.BYTES) {
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

    /** With four bytes behind it that are zero. */
    private static int takePadded(ByteBuffer in) throws ProtocolException {
        int value = in.getInt();
        if (in.getInt() != 0) {
            throw new ProtocolException("a brick call with reserved bits set");
        }
        return value;
    }

    private static Access access(int code) throws ProtocolException {
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
}
