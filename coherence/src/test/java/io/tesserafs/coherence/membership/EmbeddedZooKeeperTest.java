package io.tesserafs.coherence.membership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class EmbeddedZooKeeperTest {
    private static final int ENTRIES = 50;

    @TempDir
    Path dir;

    /** A child process: writes, says so, and waits to be killed. */
    static final class Victim {
        public static void main(String[] args) throws Exception {
            EmbeddedZooKeeper server = EmbeddedZooKeeper.start(Path.of(args[0]), 0, () -> {});
            fill(server.connectString());
            System.out.println("READY " + server.port());
            Thread.sleep(60_000);
        }
    }

    private static void fill(String connectString) throws Exception {
        try (ClusterClient client = ClusterClient.connect(new ClusterConfig(connectString, "test", null))) {
            for (int i = 0; i < ENTRIES; i++) {
                client.curator().create().creatingParentsIfNeeded().forPath("/data/" + i, new byte[100]);
            }
        }
    }

    private int countEntries() throws Exception {
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {});
                ClusterClient client = ClusterClient.connect(new ClusterConfig(server.connectString(), "test", null))) {
            return client.curator().getChildren().forPath("/data").size();
        }
    }

    @Test
    void shouldKeepWhatWasAcknowledgedWhenKilled() throws Exception {
        Process victim = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Victim.class.getName(),
                        dir.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        int port;
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(victim.getInputStream(), StandardCharsets.UTF_8))) {
            String line = out.readLine();
            assertThat(line).startsWith("READY");
            port = Integer.parseInt(line.substring(6));
        } finally {
            victim.destroyForcibly().waitFor();
        }
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {})) {
            assertThat(server.port()).isEqualTo(port);
        }
        assertThat(countEntries()).isEqualTo(ENTRIES);
    }

    @Test
    void shouldKeepDataOverManyRestartsInBoundedSpace() throws Exception {
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {})) {
            fill(server.connectString());
        }
        for (int i = 0; i < 8; i++) {
            assertThat(countEntries()).isEqualTo(ENTRIES);
        }
        try (Stream<Path> files = Files.list(dir.resolve("version-2"))) {
            assertThat(files.count()).isLessThanOrEqualTo(9);
        }
    }

    @Test
    void shouldCutATornEndOfTheLog() throws Exception {
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {})) {
            fill(server.connectString());
        }
        Path log = newestLog();
        try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "rw")) {
            file.seek(endOfRecords(log));
            file.writeLong(0x12345678L); // checksum of a record whose rest never reached the disk
            file.writeInt(100);
            file.write(new byte[] {1, 2, 3});
        }
        assertThat(countEntries()).isEqualTo(ENTRIES);
        assertThat(dir.resolve(log.getFileName() + ".damaged-tail")).exists();
    }

    @Test
    void shouldRefuseALogDamagedInTheMiddle() throws Exception {
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {})) {
            fill(server.connectString());
        }
        Path log = newestLog();
        byte[] before = Files.readAllBytes(log);
        int middle = endOfRecords(log) / 2;
        try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "rw")) {
            file.seek(middle);
            file.write(before[middle] ^ 0x55);
        }
        assertThatThrownBy(() -> EmbeddedZooKeeper.start(dir, 0, () -> {}))
                .isInstanceOf(MembershipException.class)
                .hasMessageContaining(log.getFileName().toString())
                .hasMessageContaining("damaged");
        Files.write(log, before);
        assertThat(countEntries()).isEqualTo(ENTRIES);
    }

    @Test
    void shouldStartAfterALogThatWasOnlyJustCreated() throws Exception {
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {})) {
            fill(server.connectString());
        }
        Files.write(dir.resolve("version-2/log.7fff"), new byte[] {'Z', 'K'});
        assertThat(countEntries()).isEqualTo(ENTRIES);
    }

    @Test
    void shouldRefuseASecondServerOnTheSameDirectory() throws Exception {
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {})) {
            assertThatThrownBy(() -> EmbeddedZooKeeper.start(dir, 0, () -> {}))
                    .isInstanceOf(MembershipException.class)
                    .hasMessageContaining("Another process");
            assertThat(server.port()).isPositive();
        }
    }

    @Test
    void shouldSayWhichPortIsTaken() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertThatThrownBy(() -> EmbeddedZooKeeper.start(dir, taken.getLocalPort(), () -> {}))
                    .isInstanceOf(MembershipException.class)
                    .hasMessageContaining("Port " + taken.getLocalPort());
        }
    }

    @Test
    void shouldTakeAnotherPortWhenTheRememberedOneIsTaken() throws Exception {
        int first;
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {})) {
            first = server.port();
        }
        try (ServerSocket taken = new ServerSocket(first, 1, InetAddress.getLoopbackAddress());
                EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir, 0, () -> {})) {
            assertThat(server.port()).isNotEqualTo(taken.getLocalPort());
        }
    }

    @Test
    void shouldGiveUpOnAServerThatDoesNotAnswer() {
        ClusterConfig nobody = new ClusterConfig("127.0.0.1:1", "test", null, Optional.empty(), 4_000, 300);
        assertThatThrownBy(() -> ClusterClient.connect(nobody))
                .isInstanceOf(MembershipException.class)
                .hasMessageContaining("No ZooKeeper server answers at 127.0.0.1:1")
                .extracting(e -> ((MembershipException) e).reason())
                .isEqualTo(MembershipException.Reason.UNREACHABLE);
    }

    @Test
    void shouldRefuseAnotherClusterAndOneThatLostItsData() throws Exception {
        try (ZooKeeperFixture fixture = new ZooKeeperFixture(dir)) {
            UUID id = fixture.connect().clusterId();
            assertThat(fixture.connect("test", id).clusterId()).isEqualTo(id);
            UUID other = UUID.randomUUID();
            for (String cluster : List.of("test", "unknown")) {
                assertThatThrownBy(() -> fixture.connect(cluster, other))
                        .isInstanceOf(MembershipException.class)
                        .hasMessageContaining(other.toString())
                        .extracting(e -> ((MembershipException) e).reason())
                        .isEqualTo(MembershipException.Reason.WRONG_CLUSTER);
            }
        }
    }

    private Path newestLog() throws IOException {
        try (Stream<Path> files = Files.list(dir.resolve("version-2"))) {
            return files.filter(file -> file.getFileName().toString().startsWith("log."))
                    .max(Comparator.comparingLong(
                            file -> Long.parseLong(file.getFileName().toString().substring(4), 16)))
                    .orElseThrow();
        }
    }

    private static int endOfRecords(Path log) throws IOException {
        byte[] bytes = Files.readAllBytes(log);
        int end = bytes.length;
        while (bytes[end - 1] == 0) {
            end--;
        }
        return end;
    }
}
