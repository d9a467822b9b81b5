package io.tesserafs.node.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.node.admin.AdminException.Code;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdminServerTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    @TempDir
    Path dir;

    Path socket;
    AdminServer server;
    final CountDownLatch never = new CountDownLatch(1);

    @BeforeEach
    void start() throws IOException {
        socket = dir.resolve("admin.sock");
        server = AdminServer.start(
                socket,
                Map.of(
                        "echo",
                        args -> args,
                        "refuse",
                        args -> {
                            throw new AdminException(Code.BUSY, "not now");
                        },
                        "break",
                        args -> {
                            throw new IllegalStateException("bug");
                        },
                        "long",
                        args -> "x".repeat(AdminProtocol.MAX_ANSWER_BYTES),
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

    @AfterEach
    void stop() throws IOException {
        never.countDown();
        server.close();
    }

    /** Sends bytes as they are, ends the sending side, and returns all that comes back. */
    private String raw(byte[] bytes) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            try {
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                channel.shutdownOutput();
            } catch (IOException e) {
                assertThat(e).as("the server has closed early").hasMessageContaining("pipe");
            }
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            try {
                Channels.newInputStream(channel).transferTo(answer);
            } catch (IOException e) {
                assertThat(e).as("the server has closed early").hasMessageContaining("reset");
            }
            return answer.toString(StandardCharsets.UTF_8);
        }
    }

    private String raw(String text) throws IOException {
        return raw(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void shouldAnswerSeveralRequestsOnOneConnection() throws Exception {
        try (AdminClient client = AdminClient.connect(socket)) {
            for (int i = 0; i < 3; i++) {
                assertThat(client.call("echo", AdminClient.args().put("n", i), LIMIT)
                                .path("n")
                                .asInt())
                        .isEqualTo(i);
            }
        }
    }

    @Test
    void shouldCarryRefusals() throws Exception {
        try (AdminClient client = AdminClient.connect(socket)) {
            assertThatThrownBy(() -> client.call("refuse", AdminClient.args(), LIMIT))
                    .isInstanceOfSatisfying(
                            AdminException.class, e -> assertThat(e.code()).isEqualTo(Code.BUSY))
                    .hasMessage("not now");
            assertThatThrownBy(() -> client.call("nothing", AdminClient.args(), LIMIT))
                    .hasMessageContaining("does not know the command 'nothing'");
            assertThatThrownBy(() -> client.call("break", AdminClient.args(), LIMIT))
                    .hasMessageContaining("bug");
            assertThatThrownBy(() -> client.call("long", AdminClient.args(), LIMIT))
                    .hasMessageContaining("too long");
            assertThat(client.call("echo", AdminClient.args(), LIMIT).isObject())
                    .isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\n",
                "hello\n",
                "[]\n",
                "{}\n",
                "null\n",
                "{\"v\":1}\n",
                "{\"v\":1,\"cmd\":5}\n",
                "{\"v\":1,\"cmd\":\"echo\",\"args\":[]}\n",
                "{\"v\":\"x\",\"cmd\":\"echo\"}\n"
            })
    void shouldRefuseWhatIsNoRequestAndEndTheConnection(String line) throws Exception {
        String answer = raw(line + "{\"v\":1,\"cmd\":\"echo\"}\n");
        assertThat(answer.lines()).hasSize(1);
        assertThat(answer).contains("\"ok\":false").containsPattern("BAD_REQUEST|VERSION");
    }

    @Test
    void shouldNameItsVersionToOthers() throws Exception {
        assertThat(raw("{\"v\":2,\"cmd\":\"echo\"}\n")).contains("VERSION").contains("version 1");
    }

    @Test
    void shouldRefuseEndlessLines() throws Exception {
        assertThat(raw("x".repeat(AdminProtocol.MAX_REQUEST_BYTES * 3))).containsPattern("^$|BAD_REQUEST");
    }

    @Test
    void shouldSurviveRandomBytes() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 50; round++) {
            byte[] bytes = new byte[random.nextInt(5000)];
            random.nextBytes(bytes);
            raw(bytes);
        }
        assertThat(raw("{\"v\":1,\"cmd\":\"echo\"}\n")).as("seed " + seed).contains("\"ok\":true");
    }

    @Test
    void shouldIgnoreAnUnfinishedLine() throws Exception {
        assertThat(raw("{\"v\":1,\"cmd\":\"ec")).isEmpty();
    }

    @Test
    void shouldNotWaitForAnAnswerForever() throws Exception {
        try (AdminClient client = AdminClient.connect(socket)) {
            assertThatThrownBy(() -> client.call("hang", AdminClient.args(), Duration.ofMillis(50)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("no answer to 'hang'");
        }
    }

    @Test
    void shouldBeForTheOwnerOnlyAndGoAway() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                .isEqualTo("rw-------");
        server.close();
        assertThat(socket).doesNotExist();
        assertThatThrownBy(() -> AdminClient.connect(socket)).isInstanceOf(IOException.class);
    }

    @Test
    void shouldReplaceTheSocketOfADeadDaemon() throws Exception {
        Path left = dir.resolve("left.sock");
        Files.writeString(left, "");
        try (AdminServer second = AdminServer.start(left, Map.of("echo", args -> args));
                AdminClient client = AdminClient.connect(left)) {
            assertThat(client.call("echo", AdminClient.args(), LIMIT).isObject())
                    .isTrue();
            assertThat(second).isNotNull();
        }
    }
}
