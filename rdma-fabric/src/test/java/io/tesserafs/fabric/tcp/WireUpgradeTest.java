package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.Connection.Network;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.peer.Transport;
import io.tesserafs.fabric.peer.TransportContract;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Connections that move to another wire, which here is another socket. */
class WireUpgradeTest extends TransportContract {
    private static final PeerId CAROL = new PeerId(3, 0xCA201);

    private final Sockets sockets = new Sockets();

    @Override
    protected Transport transport(PeerId self) {
        return transport(self, sockets);
    }

    private static TcpTransport transport(PeerId self, WireUpgrade upgrade) {
        TcpTransport transport = new TcpTransport(TcpTransportTest.config(self));
        transport.upgradeBy(upgrade);
        return transport;
    }

    @BeforeEach
    void expectToHaveMoved() {
        assertThat(connection.network()).isEqualTo(Network.VERBS);
    }

    /** Offers a port of the loopback interface. */
    private static class Sockets implements WireUpgrade {
        final AtomicInteger followed = new AtomicInteger();

        @Override
        public @Nullable Invitation invite(PeerId peer) {
            try {
                return new Listener(ServerSocketChannel.open().bind(TcpTransportTest.loopback()));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public Wire follow(ByteBuffer offer, int timeoutMs) throws IOException {
            followed.incrementAndGet();
            return connect(offer);
        }

        static Wire connect(ByteBuffer offer) throws IOException {
            InetAddress host = InetAddress.getLoopbackAddress();
            return new Better(new SocketWire(SocketChannel.open(new InetSocketAddress(host, offer.getInt(0)))));
        }
    }

    private record Listener(ServerSocketChannel channel) implements WireUpgrade.Invitation {
        @Override
        public ByteBuffer offer() {
            return littleEndian(channel.socket().getLocalPort());
        }

        @Override
        public @Nullable Wire take() {
            try {
                channel.configureBlocking(false);
                SocketChannel accepted = channel.accept();
                return accepted == null ? null : new Better(new SocketWire(accepted));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void close() {
            try {
                channel.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static ByteBuffer littleEndian(int port) {
        return ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(port)
                .flip();
    }

    private static class Better implements Wire {
        private final Wire beneath;

        Better(Wire beneath) {
            this.beneath = beneath;
        }

        @Override
        public String remote() {
            return beneath.remote();
        }

        @Override
        public Network network() {
            return Network.VERBS;
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            return beneath.read(target);
        }

        @Override
        public long read(ByteBuffer[] targets) throws IOException {
            return beneath.read(targets);
        }

        @Override
        public int write(ByteBuffer source) throws IOException {
            return beneath.write(source);
        }

        @Override
        public long write(ByteBuffer[] sources) throws IOException {
            return beneath.write(sources);
        }

        @Override
        public void close() throws IOException {
            beneath.close();
        }
    }

    /** Changes the last byte of what it sends. */
    private static final class Liar extends Better {
        Liar(Wire beneath) {
            super(beneath);
        }

        @Override
        public int write(ByteBuffer source) throws IOException {
            int last = source.limit() - 1;
            source.put(last, (byte) ~source.get(last));
            return super.write(source);
        }
    }

    @Test
    void shouldStayOnTheSocketAndNotTryAgainSoonWhenItCannotFollow() throws Exception {
        Sockets broken = new Sockets() {
            @Override
            public Wire follow(ByteBuffer offer, int timeoutMs) throws IOException {
                followed.incrementAndGet();
                throw new IOException("no such network");
            }
        };
        try (TcpTransport carol = transport(CAROL, broken)) {
            for (int i = 0; i < 3; i++) {
                Connection stays = carol.connect(endpoint);
                assertThat(stays.network()).isEqualTo(Network.TCP);
                assertThat(string(stays.call(ECHO, text("x"), PLENTY_MS))).isEqualTo("x");
                stays.close();
            }
        }
        assertThat(broken.followed).hasValue(1);
    }

    @Test
    void shouldStayOnTheSocketWhenNothingIsOffered() throws Exception {
        Sockets full = new Sockets() {
            @Override
            public @Nullable Invitation invite(PeerId peer) {
                return null;
            }
        };
        try (TcpTransport carol = transport(CAROL, full)) {
            serveAll(carol);
            Connection stays = alice.connect(carol.start());
            assertThat(stays.network()).isEqualTo(Network.TCP);
            assertThat(string(stays.call(ECHO, text("x"), PLENTY_MS))).isEqualTo("x");
        }
    }

    @Test
    void shouldStayOnTheSocketWithAPeerThatKnowsNoOther() throws Exception {
        try (TcpTransport carol = new TcpTransport(TcpTransportTest.config(CAROL))) {
            serveAll(carol);
            Connection outward = alice.connect(carol.start());
            assertThat(outward.network()).isEqualTo(Network.TCP);
            assertThat(string(outward.call(CALLING_BACK, text("x"), PLENTY_MS))).isEqualTo("x");
            Connection inward = carol.connect(endpoint);
            assertThat(inward.network()).isEqualTo(Network.TCP);
            assertThat(string(inward.call(CALLING_BACK, text("x"), PLENTY_MS))).isEqualTo("x");
        }
    }

    @Test
    void shouldRefuseAPeerThatDidNotComeWhereItSays() throws Exception {
        try (ServerSocketChannel elsewhere = ServerSocketChannel.open().bind(TcpTransportTest.loopback())) {
            Handshake handshake = new Handshake(TcpTransportTest.config(CAROL), CallLimits.OURS);
            ByteBuffer port = littleEndian(elsewhere.socket().getLocalPort());
            try (RawPeer peer = RawPeer.connect(endpoint)) {
                Line line = new Line(peer.wire, peer.reader, peer.writer);
                Wire[] wrong = new Wire[1];
                Thread liar = Thread.startVirtualThread(() -> assertThrows(
                        IOException.class,
                        () -> handshake.initiate(line, Purpose.CONNECTION, Ticket.NONE, offer -> {
                            wrong[0] = Sockets.connect(port);
                            return wrong[0];
                        })));
                try (SocketChannel _ = elsewhere.accept()) {
                    FrameLayout.Header header = peer.reader.next();
                    assertThat(header.type()).isEqualTo(FrameType.REFUSED);
                    assertThat(FrameLayout.text(peer.reader.body(header))).contains("did not come");
                }
                liar.join();
            }
        }
    }

    @Test
    void shouldRefuseAnotherProofOnTheNewWire() throws Exception {
        Handshake handshake = new Handshake(TcpTransportTest.config(CAROL), CallLimits.OURS);
        try (RawPeer peer = RawPeer.connect(endpoint)) {
            Line line = new Line(peer.wire, peer.reader, peer.writer);
            assertThat(refused(
                            Reason.REFUSED,
                            () -> handshake.initiate(
                                    line, Purpose.CONNECTION, Ticket.NONE, offer -> new Liar(Sockets.connect(offer)))))
                    .hasMessageContaining("does not know this cluster's secret");
        }
    }
}
