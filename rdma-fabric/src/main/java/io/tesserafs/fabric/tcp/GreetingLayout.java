package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerId;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;

/**
 * What both sides say of themselves before anything else: HELLO by who connects, CHALLENGE by who answers. 96 bytes, little-endian; a
 * CHALLENGE goes on with the proof. Bytes 14..15 are reserved and zero.
 *
 * <pre>
 *   0  u16  HELLO: lowest protocol version spoken; CHALLENGE: the one agreed on
 *   2  u16  HELLO: highest version spoken;         CHALLENGE: the same again
 *   4  u16  purpose: 1 connection, 2 lane
 *   6  u16  number of the node
 *   8  u32  calls that the sender serves at a time, at most
 *  12  u16  bytes of calls that it has in memory at a time, at most, in units of 64 KiB
 *  16  u64  feature bits: HELLO those known, CHALLENGE those known to both
 *  24  u64  incarnation of the node
 *  32  16   UUID of the cluster, most significant half first
 *  48  16   ticket: of a lane's HELLO that of the connection it belongs to; 0 elsewhere
 *  64  32   nonce, random
 *  96  32   of a CHALLENGE only: the proof, see HandshakeKeys
 * </pre>
 */
final class GreetingLayout {
    static final int MIN_VERSION_AT = 0; // u16
    static final int MAX_VERSION_AT = 2; // u16
    static final int PURPOSE_AT = 4; // u16
    static final int NODE_AT = 6; // u16
    static final int MAX_CALLS_AT = 8; // u32
    static final int WINDOW_AT = 12; // u16
    static final int RESERVED_AT = 14; // u16
    static final int FEATURES_AT = 16; // u64
    static final int INCARNATION_AT = 24; // u64
    static final int CLUSTER_AT = 32; // 16 bytes
    static final int TICKET_AT = 48; // 16 bytes
    static final int NONCE_AT = 64; // 32 bytes
    static final int PROOF_AT = 96; // 32 bytes

    static final int NONCE_BYTES = 32;
    static final int TICKET_BYTES = 16;
    static final int HELLO_BYTES = 96;
    static final int CHALLENGE_BYTES = HELLO_BYTES + HandshakeKeys.PROOF_BYTES;
    static final int WINDOW_UNIT_BYTES = 64 << 10;

    private GreetingLayout() {}

    /** What a socket is for. */
    enum Purpose {
        CONNECTION(1),
        LANE(2);

        private final int code;

        Purpose(int code) {
            this.code = code;
        }

        static Purpose of(int code) throws ProtocolException {
            return switch (code) {
                case 1 -> CONNECTION;
                case 2 -> LANE;
                default -> throw new ProtocolException("connects for an unknown purpose, " + code);
            };
        }
    }

    /** Shown by a lane to say which connection it belongs to. Random: who was not given it cannot make it up. */
    record Ticket(long high, long low) {
        static final Ticket NONE = new Ticket(0, 0);

        ByteBuffer encode() {
            return buffer(TICKET_BYTES).putLong(high).putLong(low).flip();
        }

        static Ticket decode(ByteBuffer body) {
            return new Ticket(body.getLong(0), body.getLong(8));
        }
    }

    /** @param nonce of {@link #NONCE_BYTES} */
    record Greeting(
            int minVersion,
            int maxVersion,
            Purpose purpose,
            PeerId peer,
            int maxCalls,
            int windowUnits,
            long features,
            UUID cluster,
            Ticket ticket,
            byte[] nonce) {}

    static ByteBuffer encode(Greeting greeting) {
        ByteBuffer out = buffer(HELLO_BYTES);
        out.putShort(MIN_VERSION_AT, (short) greeting.minVersion);
        out.putShort(MAX_VERSION_AT, (short) greeting.maxVersion);
        out.putShort(PURPOSE_AT, (short) greeting.purpose.code);
        out.putShort(NODE_AT, (short) greeting.peer.node());
        out.putInt(MAX_CALLS_AT, greeting.maxCalls);
        out.putShort(WINDOW_AT, (short) greeting.windowUnits);
        out.putLong(FEATURES_AT, greeting.features);
        out.putLong(INCARNATION_AT, greeting.peer.incarnation());
        out.putLong(CLUSTER_AT, greeting.cluster.getMostSignificantBits());
        out.putLong(CLUSTER_AT + 8, greeting.cluster.getLeastSignificantBits());
        out.putLong(TICKET_AT, greeting.ticket.high);
        out.putLong(TICKET_AT + 8, greeting.ticket.low);
        out.put(NONCE_AT, greeting.nonce);
        return out;
    }

    /** @param in at least {@link #HELLO_BYTES} long */
    static Greeting decode(ByteBuffer in) throws ProtocolException {
        int node = in.getShort(NODE_AT) & 0xFFFF;
        int maxCalls = in.getInt(MAX_CALLS_AT);
        int windowUnits = in.getShort(WINDOW_AT) & 0xFFFF;
        int minVersion = in.getShort(MIN_VERSION_AT) & 0xFFFF;
        int maxVersion = in.getShort(MAX_VERSION_AT) & 0xFFFF;
        if (node == 0 || minVersion > maxVersion || maxCalls < 1 || in.getShort(RESERVED_AT) != 0) {
            throw new ProtocolException("greets in a way that makes no sense");
        }
        if ((long) windowUnits * WINDOW_UNIT_BYTES < Connection.MAX_MESSAGE_BYTES) {
            throw new ProtocolException("has no room for the longest message");
        }
        byte[] nonce = new byte[NONCE_BYTES];
        in.get(NONCE_AT, nonce);
        return new Greeting(
                minVersion,
                maxVersion,
                Purpose.of(in.getShort(PURPOSE_AT) & 0xFFFF),
                new PeerId(node, in.getLong(INCARNATION_AT)),
                maxCalls,
                windowUnits,
                in.getLong(FEATURES_AT),
                new UUID(in.getLong(CLUSTER_AT), in.getLong(CLUSTER_AT + 8)),
                new Ticket(in.getLong(TICKET_AT), in.getLong(TICKET_AT + 8)),
                nonce);
    }

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
