package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.SecureRandom;

/**
 * What is said about queue pairs on the peers' connection, and the private data by which a queue pair is told from others.
 * Little-endian. A request begins with a u16 operation and the u16 version 1, then the u32 number of a queue pair:
 *
 * <pre>
 *   1 OPEN     (number of one to be closed first, or 0)  u64 session
 *   2 PREPARE                                            16 key of a handle
 *   3 CLOSE
 * </pre>
 *
 * <p>An answer begins with a u32 status (0: done) and the u32 number of the queue pair; then
 *
 * <pre>
 *   OPEN     16 ticket, u32 flags (1: a flush needs the target's processor), u32 port, u32 length and bytes of the address
 *   PREPARE  u64 address, u32 remote key, u32 0
 * </pre>
 *
 * <p>Private data: u32 0x56525354, u16 version 1, u16 features (0), 16 ticket.
 */
final class ControlCodec {
    static final int VERSION = 1;
    static final int OPEN = 1;
    static final int PREPARE = 2;
    static final int CLOSE = 3;

    static final int DONE = 0;
    /** PREPARE: no such handle, or it is dead. */
    static final int DEAD = 1;
    /** RDMA cannot do this here; other ways can. */
    static final int UNSUITABLE = 2;
    /** PREPARE: this queue pair has ended; another may do it. */
    static final int BROKEN = 3;

    static final int MAGIC = 0x56525354;
    static final int HEADER_BYTES = 8;
    static final int PRIVATE_BYTES = 24;
    private static final int MAX_ADDRESS_BYTES = 16;
    private static final int FLUSH_BY_TARGET = 1;

    private ControlCodec() {}

    /** Proves that who connects a queue pair is who asked for it on an authenticated connection. Good for one connection. */
    record Ticket(long high, long low) {
        static Ticket random(SecureRandom random) {
            return new Ticket(random.nextLong(), random.nextLong());
        }
    }

    record Request(int operation, int number, ByteBuffer rest) {}

    /** @param flushByTarget whether bytes that have arrived are persistent only once the target saw to it */
    record Offer(int number, Ticket ticket, InetSocketAddress address, boolean flushByTarget) {}

    record Prepared(long address, int key) {}

    static ByteBuffer open(int instead, SessionId session) {
        return request(OPEN, instead, 8).putLong(session.value()).flip();
    }

    static ByteBuffer prepare(int number, HandleKey key) {
        return request(PREPARE, number, 16)
                .putLong(key.high())
                .putLong(key.low())
                .flip();
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
            case PREPARE -> 16;
            case CLOSE -> 0;
            default -> throw malformed("unknown operation " + operation);
        };
        if (version != VERSION || in.remaining() != body) {
            throw malformed("operation " + operation + " of version " + version + " with " + in.remaining() + " bytes");
        }
        return new Request(operation, number, in);
    }

    static HandleKey takeKey(ByteBuffer in) {
        return new HandleKey(in.getLong(), in.getLong());
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
                .putInt(offer.flushByTarget() ? FLUSH_BY_TARGET : 0)
                .putInt(offer.address().getPort())
                .putInt(host.length)
                .put(host)
                .flip();
    }

    static ByteBuffer prepared(Prepared region) {
        return allocate(HEADER_BYTES + 16)
                .putInt(DONE)
                .putInt(0)
                .putLong(region.address())
                .putInt(region.key())
                .putInt(0)
                .flip();
    }

    static int takeStatus(ByteBuffer in) {
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
            return new Offer(number, ticket, address, (flags & FLUSH_BY_TARGET) != 0);
        } catch (BufferUnderflowException | UnknownHostException e) {
            throw malformed("an offer that makes no sense: " + e);
        }
    }

    static Prepared takePrepared(ByteBuffer in) {
        if (in.remaining() != 20) {
            throw malformed("a region in " + in.remaining() + " bytes");
        }
        in.getInt();
        return new Prepared(in.getLong(), in.getInt());
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
