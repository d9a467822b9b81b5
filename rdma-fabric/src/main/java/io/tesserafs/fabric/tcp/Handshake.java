package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.FrameLayout.Header;
import io.tesserafs.fabric.tcp.GreetingLayout.Greeting;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;

/**
 * Makes sure that both ends are of the same cluster and speak a common version, before anything else is said.
 *
 * <pre>
 *   initiator                      responder
 *   HELLO      ------------------>            REFUSED if of another cluster, or without a common version
 *              <------------------ CHALLENGE  which proves that the responder knows the secret
 *   PROOF      ------------------>            REFUSED if the secret is another
 *              <------------------ WELCOME
 * </pre>
 *
 * <p>Until it is through, a peer costs a socket, a virtual thread, a few KiB, and time that the caller limits by closing the wire.
 */
final class Handshake {
    static final int MIN_VERSION = 1;
    static final int MAX_VERSION = 1;

    /** Optional parts of the protocol that this side knows. There are none yet. */
    static final long FEATURES = 0;

    private final SecureRandom random = new SecureRandom();
    private final PeerId self;
    private final TcpConfig config;
    private final CallLimits limits;

    Handshake(TcpConfig config, CallLimits limits) {
        this.config = config;
        this.self = config.self();
        this.limits = limits;
    }

    /**
     * What both sides know when it is done.
     *
     * @param limits of the peer: what it takes from us
     * @param ticket of the connection
     */
    record Agreement(PeerId peer, Purpose purpose, int version, long features, CallLimits limits, Ticket ticket) {}

    /** Decides on a peer that proved who it is. */
    interface Admission {
        /** Returns why it is refused, or null. In that case whatever the peer may do once it is welcome must work by now. */
        @Nullable
        String refusal(Agreement agreement);
    }

    /** @param ticket of the connection that a lane belongs to; {@link Ticket#NONE} for a connection */
    Agreement initiate(Wire wire, FrameReader reader, FrameWriter writer, Purpose purpose, Ticket ticket)
            throws IOException {
        Greeting mine = greeting(MIN_VERSION, MAX_VERSION, FEATURES, purpose, ticket);
        ByteBuffer hello = GreetingLayout.encode(mine);
        writer.write(FrameType.HELLO, 0, 0, 0, hello);
        ByteBuffer challenge = expect(wire, reader, FrameType.CHALLENGE, GreetingLayout.CHALLENGE_BYTES);
        Greeting theirs = GreetingLayout.decode(challenge);
        byte[] proof = new byte[HandshakeKeys.PROOF_BYTES];
        challenge.get(GreetingLayout.PROOF_AT, proof);
        HandshakeKeys keys = new HandshakeKeys(config.secret(), mine.nonce(), theirs.nonce());
        byte[] expected = keys.responderProof(hello, challenge.slice(0, GreetingLayout.HELLO_BYTES));
        if (!HandshakeKeys.equal(expected, proof)) {
            throw refuse(writer, wire, "it does not know this cluster's secret");
        }
        int version = theirs.minVersion();
        if (!theirs.cluster().equals(config.cluster())
                || version != theirs.maxVersion()
                || version < MIN_VERSION
                || version > MAX_VERSION
                || (theirs.features() & ~FEATURES) != 0
                || theirs.purpose() != purpose) {
            throw refuse(writer, wire, "it agrees to what was not offered");
        }
        writer.write(FrameType.PROOF, 0, 0, 0, ByteBuffer.wrap(keys.initiatorProof(hello, challenge)));
        Ticket given = Ticket.decode(expect(wire, reader, FrameType.WELCOME, GreetingLayout.TICKET_BYTES));
        return new Agreement(theirs.peer(), purpose, version, theirs.features(), CallLimits.of(theirs), given);
    }

    Agreement respond(Wire wire, FrameReader reader, FrameWriter writer, Admission admission) throws IOException {
        ByteBuffer hello = expect(wire, reader, FrameType.HELLO, GreetingLayout.HELLO_BYTES);
        Greeting theirs = GreetingLayout.decode(hello);
        int version = Math.min(MAX_VERSION, theirs.maxVersion());
        if (version < Math.max(MIN_VERSION, theirs.minVersion())) {
            throw refuse(
                    writer,
                    wire,
                    "no common protocol version: %d to %d here, %d to %d there"
                            .formatted(MIN_VERSION, MAX_VERSION, theirs.minVersion(), theirs.maxVersion()));
        }
        if (!theirs.cluster().equals(config.cluster())) {
            throw refuse(
                    writer,
                    wire,
                    "not the same cluster: " + config.cluster() + " here, " + theirs.cluster() + " there");
        }
        long features = FEATURES & theirs.features();
        Greeting mine = greeting(version, version, features, theirs.purpose(), Ticket.NONE);
        HandshakeKeys keys = new HandshakeKeys(config.secret(), theirs.nonce(), mine.nonce());
        ByteBuffer greeting = GreetingLayout.encode(mine);
        byte[] proof = keys.responderProof(hello, greeting);
        ByteBuffer challenge = ByteBuffer.allocate(GreetingLayout.CHALLENGE_BYTES)
                .put(greeting.duplicate())
                .put(proof)
                .flip();
        writer.write(FrameType.CHALLENGE, 0, 0, 0, challenge);
        byte[] received = new byte[HandshakeKeys.PROOF_BYTES];
        expect(wire, reader, FrameType.PROOF, received.length).get(received);
        if (!HandshakeKeys.equal(keys.initiatorProof(hello, challenge), received)) {
            throw refuse(writer, wire, "it does not know this cluster's secret");
        }
        Ticket ticket = theirs.purpose() == Purpose.CONNECTION
                ? new Ticket(random.nextLong(), random.nextLong())
                : theirs.ticket();
        Agreement agreement =
                new Agreement(theirs.peer(), theirs.purpose(), version, features, CallLimits.of(theirs), ticket);
        String refusal = admission.refusal(agreement);
        if (refusal != null) {
            throw refuse(writer, wire, refusal);
        }
        writer.write(FrameType.WELCOME, 0, 0, 0, ticket.encode());
        return agreement;
    }

    private Greeting greeting(int minVersion, int maxVersion, long features, Purpose purpose, Ticket ticket) {
        byte[] nonce = new byte[GreetingLayout.NONCE_BYTES];
        random.nextBytes(nonce);
        return new Greeting(
                minVersion,
                maxVersion,
                purpose,
                self,
                limits.maxCalls(),
                limits.windowUnits(),
                features,
                config.cluster(),
                ticket,
                nonce);
    }

    private static ByteBuffer expect(Wire wire, FrameReader reader, FrameType type, int bytes) throws IOException {
        Header header = reader.next();
        if (header.type() == FrameType.REFUSED) {
            throw new PeerException(
                    Reason.REFUSED, wire.remote() + " refuses: " + FrameLayout.text(reader.body(header)));
        }
        if (header.type() != type || header.bodyBytes() != bytes) {
            throw new ProtocolException(
                    "says " + header.type() + " of " + header.bodyBytes() + " bytes where " + type + " is due");
        }
        return reader.body(header);
    }

    /** Tells the other side, as far as it still listens. */
    private static PeerException refuse(FrameWriter writer, Wire wire, String why) {
        PeerException refusal = new PeerException(Reason.REFUSED, wire.remote() + " is refused: " + why);
        try {
            writer.write(FrameType.REFUSED, 0, 0, 0, FrameLayout.text(why));
        } catch (IOException e) {
            refusal.addSuppressed(e);
        }
        return refusal;
    }
}
