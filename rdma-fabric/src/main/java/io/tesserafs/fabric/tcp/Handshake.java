package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.FrameLayout.Header;
import io.tesserafs.fabric.tcp.GreetingLayout.Greeting;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import io.tesserafs.fabric.tcp.WireUpgrade.Invitation;
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
 * <p>Between the last two, if both sides can use a better wire than the socket (a feature) for the connection:
 *
 * <pre>
 *              <------------------ OFFER      where the wire can be connected, and a ticket
 *   (connects it, showing the ticket)
 *   CHOICE     ------------------>
 *   PROOF      ==================>            the first message on the new wire: also over the offer
 *              <================== WELCOME    from here on the socket is not used any more
 * </pre>
 *
 * <p>Until it is through, a peer costs a socket, a thread, a few KiB, and time that the caller limits by closing the wire.
 */
final class Handshake {
    static final int MIN_VERSION = 2;
    static final int MAX_VERSION = 2;

    /** Optional part of the protocol: the connection may move to a better wire. */
    static final long FEATURE_UPGRADE = 1;

    private static final byte MOVES = 1;
    private static final byte STAYS = 0;
    private static final ByteBuffer NO_OFFER = ByteBuffer.allocate(0).asReadOnlyBuffer();

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
     * @param line on which it goes on
     */
    record Agreement(
            PeerId peer, Purpose purpose, int version, long features, CallLimits limits, Ticket ticket, Line line) {}

    /** The initiator's way to the better wire. */
    interface Follower {
        /** Null if the connection has to stay on its socket. */
        @Nullable
        Wire follow(ByteBuffer offer) throws IOException;
    }

    /** The responder's. */
    interface Host {
        /** Null if the connection has to stay on its socket. */
        @Nullable
        Invitation invite(PeerId peer) throws IOException;

        /** The peer came by that wire. */
        void arrived(Wire wire);
    }

    /** Decides on a peer that proved who it is. */
    interface Admission {
        /** Returns why it is refused, or null. In that case whatever the peer may do once it is welcome must work by now. */
        @Nullable
        String refusal(Agreement agreement);
    }

    /** @param ticket of the connection that a lane belongs to; {@link Ticket#NONE} for a connection */
    Agreement initiate(Line socket, Purpose purpose, Ticket ticket) throws IOException {
        return initiate(socket, purpose, ticket, null);
    }

    /** @param follower null to stay on the socket */
    Agreement initiate(Line socket, Purpose purpose, Ticket ticket, @Nullable Follower follower) throws IOException {
        long known = follower == null ? 0 : FEATURE_UPGRADE;
        Greeting mine = greeting(MIN_VERSION, MAX_VERSION, known, purpose, ticket);
        ByteBuffer hello = GreetingLayout.encode(mine);
        socket.writer().write(FrameType.HELLO, 0, 0, 0, hello);
        ByteBuffer challenge = expect(socket, FrameType.CHALLENGE, GreetingLayout.CHALLENGE_BYTES);
        Greeting theirs = GreetingLayout.decode(challenge);
        byte[] proof = new byte[HandshakeKeys.PROOF_BYTES];
        challenge.get(GreetingLayout.PROOF_AT, proof);
        HandshakeKeys keys = new HandshakeKeys(config.secret(), mine.nonce(), theirs.nonce());
        byte[] expected = keys.responderProof(hello, challenge.slice(0, GreetingLayout.HELLO_BYTES));
        if (!HandshakeKeys.equal(expected, proof)) {
            throw refuse(socket, "it does not know this cluster's secret");
        }
        int version = theirs.minVersion();
        if (!theirs.cluster().equals(config.cluster())
                || version != theirs.maxVersion()
                || version < MIN_VERSION
                || version > MAX_VERSION
                || (theirs.features() & ~known) != 0
                || theirs.purpose() != purpose) {
            throw refuse(socket, "it agrees to what was not offered");
        }
        socket.writer().write(FrameType.PROOF, 0, 0, 0, ByteBuffer.wrap(keys.initiatorProof(hello, challenge)));
        Line line = socket;
        if (follower != null && theirs.features() == FEATURE_UPGRADE) {
            line = follow(socket, follower, offer -> keys.initiatorProof(hello, challenge, offer));
        }
        Ticket given = Ticket.decode(expect(line, FrameType.WELCOME, GreetingLayout.TICKET_BYTES));
        if (!line.equals(socket)) {
            Reception.closeQuietly(socket.wire());
        }
        return new Agreement(theirs.peer(), purpose, version, theirs.features(), CallLimits.of(theirs), given, line);
    }

    private interface SecondProof {
        byte[] over(ByteBuffer offer);
    }

    private static Line follow(Line socket, Follower follower, SecondProof proof) throws IOException {
        Header header = next(socket, FrameType.OFFER);
        ByteBuffer offer = socket.reader().body(header);
        if (!offer.hasRemaining()) {
            return socket;
        }
        Wire wire = follower.follow(offer.duplicate().order(offer.order()));
        byte[] choice = {wire == null ? STAYS : MOVES};
        socket.writer().write(FrameType.CHOICE, 0, 0, 0, ByteBuffer.wrap(choice));
        if (wire == null) {
            return socket;
        }
        Line line = Line.over(wire);
        line.writer().write(FrameType.PROOF, 0, 0, 0, ByteBuffer.wrap(proof.over(offer)));
        return line;
    }

    /** @param host null to stay on the socket */
    Agreement respond(Line socket, Admission admission, @Nullable Host host) throws IOException {
        ByteBuffer hello = expect(socket, FrameType.HELLO, GreetingLayout.HELLO_BYTES);
        Greeting theirs = GreetingLayout.decode(hello);
        int version = Math.min(MAX_VERSION, theirs.maxVersion());
        if (version < Math.max(MIN_VERSION, theirs.minVersion())) {
            throw refuse(
                    socket,
                    "no common protocol version: %d to %d here, %d to %d there"
                            .formatted(MIN_VERSION, MAX_VERSION, theirs.minVersion(), theirs.maxVersion()));
        }
        if (!theirs.cluster().equals(config.cluster())) {
            throw refuse(socket, "not the same cluster: " + config.cluster() + " here, " + theirs.cluster() + " there");
        }
        boolean mayMove = host != null && theirs.purpose() == Purpose.CONNECTION;
        long features = theirs.features() & (mayMove ? FEATURE_UPGRADE : 0);
        Greeting mine = greeting(version, version, features, theirs.purpose(), Ticket.NONE);
        HandshakeKeys keys = new HandshakeKeys(config.secret(), theirs.nonce(), mine.nonce());
        ByteBuffer greeting = GreetingLayout.encode(mine);
        byte[] proof = keys.responderProof(hello, greeting);
        ByteBuffer challenge = ByteBuffer.allocate(GreetingLayout.CHALLENGE_BYTES)
                .put(greeting.duplicate())
                .put(proof)
                .flip();
        socket.writer().write(FrameType.CHALLENGE, 0, 0, 0, challenge);
        checkProof(socket, keys.initiatorProof(hello, challenge));
        Line line = socket;
        if (host != null && features == FEATURE_UPGRADE) {
            line = host(socket, host, theirs.peer(), offer -> keys.initiatorProof(hello, challenge, offer));
        }
        Ticket ticket = theirs.purpose() == Purpose.CONNECTION
                ? new Ticket(random.nextLong(), random.nextLong())
                : theirs.ticket();
        Agreement agreement =
                new Agreement(theirs.peer(), theirs.purpose(), version, features, CallLimits.of(theirs), ticket, line);
        String refusal = admission.refusal(agreement);
        if (refusal != null) {
            throw refuse(line, refusal);
        }
        line.writer().write(FrameType.WELCOME, 0, 0, 0, ticket.encode());
        if (!line.equals(socket)) {
            Reception.closeQuietly(socket.wire());
        }
        return agreement;
    }

    private static void checkProof(Line line, byte[] expected) throws IOException {
        byte[] received = new byte[HandshakeKeys.PROOF_BYTES];
        expect(line, FrameType.PROOF, received.length).get(received);
        if (!HandshakeKeys.equal(expected, received)) {
            throw refuse(line, "it does not know this cluster's secret");
        }
    }

    private static Line host(Line socket, Host host, PeerId peer, SecondProof proof) throws IOException {
        try (Invitation invitation = host.invite(peer)) {
            ByteBuffer offer = invitation == null ? NO_OFFER : invitation.offer();
            socket.writer().write(FrameType.OFFER, 0, 0, 0, offer);
            if (invitation == null || expect(socket, FrameType.CHOICE, 1).get() != MOVES) {
                return socket;
            }
            Wire wire = invitation.take();
            if (wire == null) {
                throw refuse(socket, "it did not come where it was told to");
            }
            host.arrived(wire);
            Line line = Line.over(wire);
            checkProof(line, proof.over(offer));
            return line;
        }
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

    private static ByteBuffer expect(Line line, FrameType type, int bytes) throws IOException {
        Header header = next(line, type);
        if (header.bodyBytes() != bytes) {
            throw new ProtocolException("says " + type + " of " + header.bodyBytes() + " bytes");
        }
        return line.reader().body(header);
    }

    private static Header next(Line line, FrameType type) throws IOException {
        Header header = line.reader().next();
        if (header.type() == FrameType.REFUSED) {
            throw new PeerException(
                    Reason.REFUSED,
                    line.wire().remote() + " refuses: "
                            + FrameLayout.text(line.reader().body(header)));
        }
        if (header.type() != type) {
            throw new ProtocolException(
                    "says " + header.type() + " of " + header.bodyBytes() + " bytes where " + type + " is due");
        }
        return header;
    }

    /** Tells the other side, as far as it still listens. */
    private static PeerException refuse(Line line, String why) {
        PeerException refusal = new PeerException(Reason.REFUSED, line.wire().remote() + " is refused: " + why);
        try {
            line.writer().write(FrameType.REFUSED, 0, 0, 0, FrameLayout.text(why));
        } catch (IOException e) {
            refusal.addSuppressed(e);
        }
        return refusal;
    }
}
