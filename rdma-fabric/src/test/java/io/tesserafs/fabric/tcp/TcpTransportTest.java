package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.peer.Transport;
import io.tesserafs.fabric.peer.TransportContract;
import io.tesserafs.fabric.tcp.GreetingLayout.Greeting;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class TcpTransportTest extends TransportContract {
    static final UUID CLUSTER = new UUID(1, 2);
    static final byte[] SECRET = "a secret for tests only".getBytes(StandardCharsets.UTF_8);
    private static final PeerId CAROL = new PeerId(3, 0xCA201);

    static InetSocketAddress loopback() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    }

    static TcpConfig config(PeerId self) {
        return TcpConfig.of(loopback(), self, CLUSTER, SECRET);
    }

    @Override
    protected Transport transport(PeerId self) {
        return new TcpTransport(config(self));
    }

    @Test
    void shouldRefuseAnotherSecret() throws Exception {
        TcpConfig other =
                TcpConfig.of(loopback(), CAROL, CLUSTER, "quite another secret".getBytes(StandardCharsets.UTF_8));
        try (TcpTransport carol = new TcpTransport(other)) {
            assertThat(refused(Reason.REFUSED, () -> carol.connect(endpoint)))
                    .hasMessageContaining("does not know this cluster's secret");
        }
    }

    @Test
    void shouldRefuseAnotherCluster() throws Exception {
        TcpConfig other = TcpConfig.of(loopback(), CAROL, new UUID(1, 3), SECRET);
        try (TcpTransport carol = new TcpTransport(other)) {
            assertThat(refused(Reason.REFUSED, () -> carol.connect(endpoint)))
                    .hasMessageContaining("not the same cluster");
        }
    }

    private static ByteBuffer hello(int minVersion, int maxVersion) {
        return GreetingLayout.encode(new Greeting(
                minVersion,
                maxVersion,
                Purpose.CONNECTION,
                CAROL,
                1,
                64,
                -1,
                CLUSTER,
                Ticket.NONE,
                new byte[GreetingLayout.NONCE_BYTES]));
    }

    @Test
    void shouldRefuseAPeerWithoutACommonVersion() throws Exception {
        try (RawPeer peer = RawPeer.connect(endpoint)) {
            peer.writer.write(FrameType.HELLO, 0, 0, 0, hello(Handshake.MAX_VERSION + 1, 9));
            FrameLayout.Header header = peer.reader.next();
            assertThat(header.type()).isEqualTo(FrameType.REFUSED);
            assertThat(FrameLayout.text(peer.reader.body(header)))
                    .contains("no common protocol version", (Handshake.MAX_VERSION + 1) + " to 9 there");
            peer.awaitEnd();
        }
    }

    @Test
    void shouldAgreeWithAPeerThatKnowsMore() throws Exception {
        try (RawPeer peer = RawPeer.connect(endpoint)) {
            peer.writer.write(FrameType.HELLO, 0, 0, 0, hello(1, 9));
            FrameLayout.Header header = peer.reader.next();
            Greeting answer = GreetingLayout.decode(peer.reader.body(header));
            assertThat(answer.minVersion()).isEqualTo(Handshake.MAX_VERSION);
            assertThat(answer.maxVersion()).isEqualTo(Handshake.MAX_VERSION);
            assertThat(answer.features()).isZero();
        }
    }

    @Test
    void shouldRefuseAProofThatWasHeardBefore() throws Exception {
        ByteBuffer proof = ByteBuffer.allocate(HandshakeKeys.PROOF_BYTES);
        try (RawPeer peer = RawPeer.connect(endpoint)) {
            peer.writer.write(FrameType.HELLO, 0, 0, 0, hello(1, Handshake.MAX_VERSION));
            ByteBuffer challenge = peer.reader.body(peer.reader.next());
            // The responder's own proof, turned round.
            peer.writer.write(
                    FrameType.PROOF,
                    0,
                    0,
                    0,
                    proof.put(challenge.slice(GreetingLayout.PROOF_AT, 32)).flip());
            assertThat(peer.reader.next().type()).isEqualTo(FrameType.REFUSED);
        }
    }

    @Test
    void shouldCloseOnAStrangerThatSaysNothing() throws Exception {
        try (TcpTransport impatient = new TcpTransport(config(CAROL).withConnectTimeout(50));
                RawPeer peer = RawPeer.connect(impatient.start())) {
            peer.awaitEnd();
        }
    }

    @Test
    void shouldGiveUpOnAListenerThatSaysNothing() throws Exception {
        try (TcpTransport impatient = new TcpTransport(config(CAROL).withConnectTimeout(50));
                ServerSocketChannel mute = ServerSocketChannel.open().bind(loopback())) {
            int port = ((InetSocketAddress) mute.getLocalAddress()).getPort();
            refused(Reason.UNREACHABLE, () -> impatient.connect("tcp://localhost:" + port));
        }
    }

    @Test
    void shouldSayWhatIsWrongWithAnEndpoint() {
        for (String wrong :
                new String[] {"", "tcp:", "tcp://", "tcp://host", "tcp://host:0", "tcp://host:65536", "udp://h:1", "::"
                }) {
            refused(Reason.UNREACHABLE, () -> alice.connect(wrong));
        }
        refused(Reason.UNREACHABLE, () -> alice.connect("tcp://no-such-host.invalid:1"));
    }

    @Test
    void shouldEndTheConnectionWithAPeerThatIsSilent() throws Exception {
        CountDownLatch gone = new CountDownLatch(1);
        try (TcpTransport impatient = new TcpTransport(config(new PeerId(4, 4)).withKeepAlive(5, 100))) {
            serveAll(impatient);
            try (RawPeer peer = RawPeer.connect(impatient.start())) {
                peer.shakeHands(CAROL);
                // Talks all the time, but never answers a ping.
                Thread talker = Thread.startVirtualThread(() -> {
                    try {
                        while (true) {
                            peer.writer.write(FrameType.PING, 0, 0, 0, ByteBuffer.allocate(0));
                            Thread.onSpinWait();
                        }
                    } catch (IOException e) {
                        gone.countDown();
                    }
                });
                peer.awaitEnd();
                gone.await();
                talker.join();
            }
            assertThat(next()).isEqualTo("closed by " + CAROL);
        }
    }

    @Test
    void shouldKeepAConnectionWithNothingToSay() throws Exception {
        try (TcpTransport dave = new TcpTransport(config(new PeerId(4, 4)).withKeepAlive(5, 20_000));
                TcpTransport erin = new TcpTransport(config(new PeerId(5, 5)).withKeepAlive(5, 20_000))) {
            serveAll(dave);
            Connection quiet = erin.connect(dave.start());
            TcpConnection seen = (TcpConnection) quiet;
            long first = seen.signOfLifeNs();
            while (seen.signOfLifeNs() == first) {
                assertThat(quiet.isOpen()).isTrue();
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void shouldCutOffAPeerThatMakesMoreCallsThanAllowed() throws Exception {
        try (RawPeer peer = RawPeer.connect(endpoint)) {
            peer.shakeHands(CAROL);
            for (int i = 0; i < CallLimits.OURS.maxCalls(); i++) {
                peer.writer.write(FrameType.CALL, STUCK, 0, i, text("x"));
            }
            peer.writer.write(FrameType.CALL, ECHO, 0, 1000, text("one too many"));
            peer.awaitEnd();
        }
        assertThat(next()).isEqualTo("closed by " + CAROL);
    }

    @Test
    void shouldCutOffAPeerThatAnswersWhatWasNotAsked() throws Exception {
        for (FrameType type : new FrameType[] {FrameType.REPLY, FrameType.ERROR, FrameType.HELLO}) {
            try (RawPeer peer = RawPeer.connect(endpoint)) {
                peer.shakeHands(CAROL);
                peer.writer.write(type, 0, 5, 99, text(""));
                peer.awaitEnd();
            }
            assertThat(next()).isEqualTo("closed by " + CAROL);
        }
    }

    @Test
    void shouldNotAllocateForALengthThatCannotBe() throws Exception {
        try (RawPeer peer = RawPeer.connect(endpoint)) {
            peer.shakeHands(CAROL);
            ByteBuffer header = ByteBuffer.allocate(FrameLayout.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            FrameLayout.put(header, FrameType.CALL, ECHO, 0, 1, Connection.MAX_MESSAGE_BYTES + 1);
            peer.wire.writeFully(header.flip());
            peer.awaitEnd();
        }
    }
}
