package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.Connection.Network;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.peer.Transport;
import io.tesserafs.fabric.peer.TransportContract;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls and notifications between the two devices of this host. */
@Tag("rdma")
@Timeout(180)
class VerbsTransportTest extends TransportContract {
    private final List<VerbsNode> nodes = new ArrayList<>();

    @Override
    protected Transport transport(PeerId self) {
        try {
            VerbsNode node = VerbsNode.at(self.equals(ALICE) ? "10.77.0.2" : "10.77.0.1", self);
            nodes.add(node);
            return node.transport();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @BeforeEach
    void expectQueuePairs() {
        assertThat(connection.network()).isEqualTo(Network.VERBS);
    }

    @AfterEach
    void closeDevices() {
        nodes.forEach(VerbsNode::close);
    }

    @Test
    void shouldStayOnTheSocketWithAPeerWithoutRdma() throws Exception {
        try (VerbsNode carol = VerbsNode.at("10.77.0.2", new PeerId(3, 3), false)) {
            serveAll(carol.transport());
            Connection outward = alice.connect(carol.transport().start());
            assertThat(outward.network()).isEqualTo(Network.TCP);
            assertThat(string(outward.call(ECHO, text("by socket"), PLENTY_MS))).isEqualTo("by socket");
            Connection inward = carol.transport().connect(endpoint);
            assertThat(inward.network()).isEqualTo(Network.TCP);
            assertThat(string(inward.call(CALLING_BACK, text("by socket"), PLENTY_MS)))
                    .isEqualTo("by socket");
        }
    }

    @Test
    void shouldStayOnTheSocketWhenThePeersDeviceIsGone() throws Exception {
        nodes.get(1).verbs().close();
        Connection again = alice.connect(endpoint);
        assertThat(again.network()).isEqualTo(Network.TCP);
        assertThat(string(again.call(ECHO, text("by socket"), PLENTY_MS))).isEqualTo("by socket");
    }

    @Test
    void shouldNoticeThatThePeerWasKilled() throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        PeerProcess.class.getName(),
                        "10.77.0.1")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
            Connection doomed = alice.connect(out.readLine());
            assertThat(doomed.network()).isEqualTo(Network.VERBS);
            assertThat(string(doomed.call(PeerProcess.SERVICE, text("alive"), PLENTY_MS)))
                    .isEqualTo("alive");
            CountDownLatch ended = new CountDownLatch(1);
            doomed.onClose(ended::countDown);
            process.destroyForcibly();
            ended.await(); // far sooner than by its silence, after a minute
            refused(Reason.UNREACHABLE, () -> doomed.call(PeerProcess.SERVICE, text("dead"), PLENTY_MS));
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void shouldLeaveNothingBehindOnTheDevices() throws Exception {
        String before = DeviceResources.now();
        assertThat(before).contains("qp");
        for (int i = 0; i < 10; i++) {
            Connection one = alice.connect(endpoint);
            assertThat(one.network()).isEqualTo(Network.VERBS);
            assertThat(string(one.call(ECHO, text("x"), PLENTY_MS))).isEqualTo("x");
            one.close();
        }
        DeviceResources.awaitThose(before); // the peer's end follows
    }
}
