package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.tcp.TcpBricks;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;

/**
 * What is said about queue pairs on the peers' connection, and the private data by which a queue pair is told from others.
 * Little-endian. A request begins with a u16 operation and the u16 version 2, then the u32 number of a queue pair:
 *
 * <pre>
 *   1 OPEN     (number of one to be closed first, or 0)  u64 session
 *   2 PREPARE                                            u32 count, u32 0, count x 16 key of a handle
 *   3 CLOSE
 * </pre>
 *
 * <p>An answer begins with a u32 status (0: done) and the u32 number of the queue pair; then
 *
 * <pre>
 *   OPEN     16 ticket, u32 flags (1: a flush needs the target's processor; 2: its device does FLUSH to this memory), u32 port,
 *            u32 length and bytes of the address
 *   PREPARE  u32 count, u32 0, and for each handle in that order u32 status, u32 remote key, u64 address
 * </pre>
 *
 * <p>Private data: u32 0x56525354, u16 version 2, u16 features (0), 16 ticket.
 */
final class ControlCodec {
    static final int VERSION = 2;
    static final int OPEN = 1;
    static final int PREPARE = 2;
    static final int CLOSE = 3;

    static final int DONE = 0;
    /** Of one handle: not known, or dead. */
    static final int DEAD = 1;
    /** RDMA cannot do this here; other ways can. */
    static final int UNSUITABLE = 2;
    /** PREPARE: this queue pair has ended; another may do it. */
    static final int BROKEN = 3;

    static final int MAGIC = 0x56525354;
    static final int HEADER_BYTES = 8;
    static final int PRIVATE_BYTES = 24;
    private static final int KEY_BYTES = 16;
    private static final int OUTCOME_BYTES = 16;
    private static final int MAX_ADDRESS_BYTES = 16;
    private static final int FLUSH_BY_TARGET = 1;
    private static final int FLUSH_BY_DEVICE = 2;

    private ControlCodec() {}

    /** Proves that who connects a queue pair is who asked for it on an authenticated connection. Good for one connection. */
    record Ticket(long high, long low) {
        static Ticket random(SecureRandom random) {
            return new Ticket(random.nextLong(), random.nextLong());
        }
    }

    record Request(int operation, int number, ByteBuffer rest) {}

    /**
     * @param flushByTarget whether bytes that have arrived are persistent only once the target saw to it
     * @param flushByDevice whether they also are once the target's device has answered a FLUSH
     */
    record Offer(int number, Ticket ticket, InetSocketAddress address, boolean flushByTarget, boolean flushByDevice) {}

    /** Of one handle that was to be prepared. */
    record Outcome(int status, long address, int key) {
        static Outcome failed(int status) {
            return new Outcome(status, 0, 0);
        }

        static Outcome of(RemoteKey key) {
            return new Outcome(DONE, key.address(), key.key());
        }

        /** @throws BrickException DEAD_HANDLE as the target says */
        RemoteKey region() throws IOException {
            return switch (status) {
                case DONE -> new RemoteKey(address, key);
                case DEAD -> throw new BrickException(Reason.DEAD_HANDLE, "the brick says: dead");
                default -> throw new IOException("the block cannot be reached by RDMA (" + status + ")");
            };
        }
    }

    static ByteBuffer open(int instead, SessionId session) {
        return request(OPEN, instead, 8).putLong(session.value()).flip();
    }

    /** @param keys at most {@link TcpBricks#MAX_KEYS} */
    static ByteBuffer prepare(int number, List<HandleKey> keys) {
        ByteBuffer out = request(PREPARE, number, 8 + keys.size() * KEY_BYTES)
                .putInt(keys.size())
                .putInt(0);
        keys.forEach(key -> out.putLong(key.high()).putLong(key.low()));
        return out.flip();
    }

    static ByteBuffer close(int number) {
        return request(CLOSE, number, 0).flip();
    }

    private static ByteBuffer request(int operation, int number, int bodyBytes) {
        return allocate(HEADER_BYTES + bodyBytes)
                .putShort((short) operation)
                .putShort((short) VERSION)
                .putInt(number);
    }

    private static ByteBuffer allocate(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    static Request decode(ByteBuffer in) {
        in.order(ByteOrder.LITTLE_ENDIAN);
        if (in.remaining() < HEADER_BYTES) {
            throw malformed("a request that is cut off");
        }
        int operation = in.getShort();
        int version = in.getShort();
        int number = in.getInt();
        int body = switch (operation) {
            case OPEN -> 8;
            case PREPARE -> 8 + peekCount(in, TcpBricks.MAX_KEYS) * KEY_BYTES;
            case CLOSE -> 0;
            default -> throw malformed("unknown operation " + operation);
        };
        if (version != VERSION || in.remaining() != body) {
            throw malformed("operation " + operation + " of version " + version + " with " + in.remaining() + " bytes");
        }
        return new Request(operation, number, in);
    }

    /** Of what follows, which is left where it is. */
    private static int peekCount(ByteBuffer in, int most) {
        if (in.remaining() < 8) {
            throw malformed("a list that is cut off");
        }
        int count = in.getInt(in.position());
        if (count < 1 || count > most || in.getInt(in.position() + 4) != 0) {
            throw malformed("a list of " + count);
        }
        return count;
    }

    /** Of a PREPARE that was decoded. */
    static List<HandleKey> takeKeys(ByteBuffer in) {
        int count = (int) in.getLong();
        List<HandleKey> keys = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            keys.add(new HandleKey(in.getLong(), in.getLong()));
        }
        return keys;
    }

    static ByteBuffer answer(int status) {
        return allocate(HEADER_BYTES).putInt(status).putInt(0).flip();
    }

    static ByteBuffer offered(Offer offer) {
        byte[] host = offer.address().getAddress().getAddress();
        return allocate(HEADER_BYTES + 28 + host.length)
                .putInt(DONE)
                .putInt(offer.number())
                .putLong(offer.ticket().high())
                .putLong(offer.ticket().low())
                .putInt((offer.flushByTarget() ? FLUSH_BY_TARGET : 0) | (offer.flushByDevice() ? FLUSH_BY_DEVICE : 0))
                .putInt(offer.address().getPort())
                .putInt(host.length)
                .put(host)
                .flip();
    }

    static ByteBuffer prepared(List<Outcome> outcomes) {
        ByteBuffer out = allocate(HEADER_BYTES + 8 + outcomes.size() * OUTCOME_BYTES)
                .putInt(DONE)
                .putInt(0)
                .putInt(outcomes.size())
                .putInt(0);
        outcomes.forEach(one -> out.putInt(one.status()).putInt(one.key()).putLong(one.address()));
        return out.flip();
    }

    /** Of an answer; what follows it is at least the number. */
    static int takeStatus(ByteBuffer in) {
        if (in.remaining() < HEADER_BYTES) {
            throw malformed("an answer that is cut off");
        }
        return in.order(ByteOrder.LITTLE_ENDIAN).getInt();
    }

    static Offer takeOffer(ByteBuffer in) {
        try {
            int number = in.getInt();
            Ticket ticket = new Ticket(in.getLong(), in.getLong());
            int flags = in.getInt();
            int port = in.getInt();
            int length = in.getInt();
            if (length < 0 || length > MAX_ADDRESS_BYTES || length != in.remaining() || port < 1 || port > 0xFFFF) {
                throw malformed("an address of " + length + " bytes with port " + port);
            }
            byte[] host = new byte[length];
            in.get(host);
            InetSocketAddress address = new InetSocketAddress(InetAddress.getByAddress(host), port);
            return new Offer(number, ticket, address, (flags & FLUSH_BY_TARGET) != 0, (flags & FLUSH_BY_DEVICE) != 0);
        } catch (BufferUnderflowException | UnknownHostException e) {
            throw malformed("an offer that makes no sense: " + e);
        }
    }

    /** @param asked handles */
    static List<Outcome> takePrepared(int asked, ByteBuffer in) {
        in.getInt();
        int count = peekCount(in, asked);
        in.getLong();
        if (count != asked || in.remaining() != count * OUTCOME_BYTES) {
            throw malformed(count + " regions in " + in.remaining() + " bytes instead of " + asked);
        }
        List<Outcome> outcomes = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int status = in.getInt();
            int key = in.getInt();
            outcomes.add(new Outcome(status, in.getLong(), key));
        }
        return outcomes;
    }

    static byte[] privateData(Ticket ticket) {
        return allocate(PRIVATE_BYTES)
                .putInt(MAGIC)
                .putShort((short) VERSION)
                .putShort((short) 0)
                .putLong(ticket.high())
                .putLong(ticket.low())
                .array();
    }

    /** @param bytes what was sent, possibly with zeros behind it */
    static Ticket takePrivateData(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (in.remaining() < PRIVATE_BYTES || in.getInt() != MAGIC || in.getShort() != VERSION || in.getShort() != 0) {
            throw malformed("private data of another protocol");
        }
        return new Ticket(in.getLong(), in.getLong());
    }

    private static IllegalArgumentException malformed(String what) {
        return new IllegalArgumentException(what);
    }
}
