package io.tesserafs.node.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.TcpConfig;
import io.tesserafs.fabric.tcp.TcpTransport;
import io.tesserafs.node.admin.AdminException.Code;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Two daemons' ends over a real connection. */
class AdminPeersTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final UUID CLUSTER = new UUID(1, 2);
    private static final byte[] SECRET = new byte[TcpConfig.MIN_SECRET_BYTES];

    final CountDownLatch never = new CountDownLatch(1);
    final AdminPeers served = new AdminPeers();
    final TcpTransport asked = new TcpTransport(config(1));
    final TcpTransport asking = new TcpTransport(config(2));
    Connection connection;

    private static TcpConfig config(int node) {
        InetSocketAddress anywhere = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        return TcpConfig.of(anywhere, new PeerId(node, node), CLUSTER, SECRET);
    }

    @BeforeEach
    void connect() throws IOException {
        asked.serve(AdminPeers.SERVICE, served);
        connection = asking.connect(asked.start());
    }

    @AfterEach
    void stop() {
        never.countDown();
        asking.close();
        asked.close();
    }

    private void serve() {
        served.serve(Map.of(
                "echo",
                args -> args,
                "refuse",
                args -> {
                    throw new AdminException(Code.BUSY, "not now");
                },
                "long",
                args -> "x".repeat(Connection.MAX_MESSAGE_BYTES),
                "hang",
                args -> {
                    try {
                        never.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    return Map.of();
                }));
    }

    private static Code codeOf(Throwable failure) {
        return ((AdminException) failure).code();
    }

    @Test
    void shouldCarryRequestsAndAnswers() throws Exception {
        serve();
        ObjectNode args = AdminClient.args().put("volume", "naïve\n");
        assertThat(AdminPeers.ask(connection, "echo", args, LIMIT)).isEqualTo(args);
    }

    @Test
    void shouldCarryRefusals() {
        serve();
        assertThatThrownBy(() -> AdminPeers.ask(connection, "refuse", AdminClient.args(), LIMIT))
                .hasMessage("not now")
                .satisfies(e -> assertThat(codeOf(e)).isEqualTo(Code.BUSY));
        assertThatThrownBy(() -> AdminPeers.ask(connection, "shutdown", AdminClient.args(), LIMIT))
                .satisfies(e -> assertThat(codeOf(e)).isEqualTo(Code.UNKNOWN_COMMAND));
    }

    @Test
    void shouldBeUnavailableUntilTheDaemonServes() {
        assertThatThrownBy(() -> AdminPeers.ask(connection, "echo", AdminClient.args(), LIMIT))
                .satisfies(e -> assertThat(codeOf(e)).isEqualTo(Code.UNAVAILABLE));
    }

    @Test
    void shouldRefuseWhatIsTooLong() {
        serve();
        ObjectNode huge = AdminClient.args().put("x", "y".repeat(AdminProtocol.MAX_REQUEST_BYTES));
        assertThatThrownBy(() -> AdminPeers.ask(connection, "echo", huge, LIMIT))
                .satisfies(e -> assertThat(codeOf(e)).isEqualTo(Code.BAD_REQUEST));
        assertThatThrownBy(() -> AdminPeers.ask(connection, "long", AdminClient.args(), LIMIT))
                .hasMessage("the answer is too long");
    }

    @Test
    void shouldNotWaitLongerThanAsked() {
        serve();
        assertThatThrownBy(() -> AdminPeers.ask(connection, "hang", AdminClient.args(), Duration.ofMillis(50)))
                .isInstanceOf(PeerException.class);
        assertThat(connection.isOpen()).isTrue();
    }

    @Test
    void shouldAnswerGarbageWithARefusal() throws Exception {
        serve();
        long seed = System.nanoTime();
        Random random = new Random(seed);
        byte[] valid = AdminProtocol.request("echo", AdminClient.args().put("a", 1));
        for (int round = 0; round < 300; round++) {
            byte[] damaged = valid.clone();
            for (int i = 0; i <= random.nextInt(4); i++) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            ByteBuffer answer = connection.call(AdminPeers.SERVICE, ByteBuffer.wrap(damaged), LIMIT.toMillis());
            assertThat(StandardCharsets.UTF_8.decode(answer).toString())
                    .as("seed %d, round %d", seed, round)
                    .startsWith("{\"v\":1,\"ok\":");
        }
        assertThat(AdminPeers.ask(connection, "echo", AdminClient.args(), LIMIT))
                .isEmpty();
    }
}
