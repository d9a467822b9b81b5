package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an operator asks, of the node that owns the volume and of another, as text and as JSON. */
@Tag("cluster")
class AdminCommandsTest {
    private static final int NODES = 2;
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final ObjectMapper MAPPER = new ObjectMapper();

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.together("admin", "1G", NODES);

    private static Command.Result ask(int node, String... command) {
        List<String> all = new ArrayList<>(List.of(command));
        all.add("--node");
        all.add(Integer.toString(node));
        return CLUSTER.node().cli(all.toArray(String[]::new));
    }

    private static String text(int node, String... command) {
        return ask(node, command).expectSuccess().output();
    }

    private static JsonNode json(int node, String... command) throws IOException {
        List<String> all = new ArrayList<>(List.of(command));
        all.add("--json");
        return MAPPER.readTree(text(node, all.toArray(String[]::new)));
    }

    private static List<String> values(JsonNode items, String field) {
        return IntStream.range(0, items.size())
                .mapToObj(i -> items.get(i).path(field).asText())
                .toList();
    }

    /** On one node's mount; the file is known to both. */
    private static Path file(int node, String name) {
        return CLUSTER.nodes().get(node - 1).mount().resolve(name);
    }

    private static int owner() throws IOException {
        return json(1, "volume", "list").get(0).path("owner").asInt();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldListNodesAndHowTheyAreReached(int node) throws Exception {
        JsonNode nodes = json(node, "node", "list");
        assertThat(values(nodes, "node")).containsExactly("1", "2");
        assertThat(values(nodes, "state")).containsExactly("ready", "ready");
        assertThat(nodes.get(node - 1).path("via").asText()).isEqualTo("local");
        assertThat(nodes.get(NODES - node).path("via").asText()).isEqualTo("shm");
        assertThat(nodes.get(NODES - node).path("roundTripUs").asLong()).isPositive();
        assertThat(text(node, "node", "list")).contains("NODE", "node1", "node2", "shm", "tcp://");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldListTheBricksOfAllNodes(int node) throws Exception {
        JsonNode bricks = json(node, "brick", "list");
        assertThat(values(bricks, "node")).containsExactlyInAnyOrder("1", "2");
        assertThat(values(bricks, "state")).containsOnly("up");
        assertThat(values(bricks, "via")).containsExactlyInAnyOrder("local", "shm");
        assertThat(values(bricks, "persistence")).doesNotContain("");
        assertThat(text(node, "brick", "list")).contains("PERSISTENCE", "shm", "node2/pool");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldShowStatusWithPeersAndOwner(int node) throws Exception {
        JsonNode nodes = json(node, "status").path("nodes");
        assertThat(values(nodes, "node")).containsExactly("1", "2");
        assertThat(nodes.get(0).path("peers").get(0).path("node").asInt()).isEqualTo(2);
        assertThat(nodes.get(1).path("peers").get(0).path("via").asText()).isEqualTo("shm");
        assertThat(nodes.get(1).path("volumes").get(0).path("owner").asInt()).isEqualTo(owner());
        assertThat(nodes.get(1).path("volumes").get(0).path("totalBytes").asLong())
                .isPositive();
        assertThat(text(node, "status")).contains("peers   node2 ready (shm)", "owned by node" + owner());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldNameTheBricksOfAFile(int node) throws Exception {
        Files.write(file(1, "on-bricks"), new byte[3 << 20]);
        CLUSTER.run(LIMIT, CLUSTER.scratch(), "sync", file(1, "on-bricks").toString());
        JsonNode stat = MAPPER.readTree(CLUSTER.commands()
                .run(
                        LIMIT,
                        CLUSTER.scratch(),
                        tessera(),
                        "stat",
                        "--json",
                        file(node, "on-bricks").toString())
                .expectSuccess()
                .output());
        assertThat(stat.path("size").asLong()).isEqualTo(3 << 20);
        assertThat(stat.path("extents")).isNotEmpty();
        assertThat(values(stat.path("bricks"), "brick")).containsAll(values(stat.path("extents"), "brick"));
        assertThat(CLUSTER.commands()
                        .run(
                                LIMIT,
                                CLUSTER.scratch(),
                                tessera(),
                                "stat",
                                file(node, "on-bricks").toString())
                        .expectSuccess()
                        .output())
                .contains("  brick   b", " of node", ", via ");
    }

    private static String tessera() {
        return TestDirectories.root().resolve("tessera").toString();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldCheckVolumesAndDumpLogsOnWhicheverNode(int node) throws Exception {
        Files.writeString(file(node, "logged-" + node), "x");
        assertThat(text(node, "fsck")).contains("clean");
        assertThat(json(node, "fsck").path("problems")).isEmpty();
        assertThat(text(node, "log", "dump")).contains("logged-" + node);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldListTokensAndRecallThem(int node) throws Exception {
        Path here = file(node, "cached-" + node);
        Path there = file(NODES + 1 - node, "cached-" + node);
        Files.writeString(here, "kept\0");
        try (Arena arena = Arena.ofShared()) {
            List<MemorySegment> mappings = List.of(mapped(here, arena), mapped(there, arena));
            mappings.forEach(mapping -> assertThat(mapping.getString(0)).isEqualTo("kept"));

            JsonNode tokens = json(node, "token", "list", here.toString()).path("tokens");
            assertThat(values(tokens, "node")).contains("1", "2");
            assertThat(values(tokens, "kind")).contains("data");
            assertThat(text(node, "token", "list", here.toString()))
                    .contains("INODE", "data", "shared", "node1", "node2");
            assertThat(values(json(node, "token", "list").path("tokens"), "ino"))
                    .contains(tokens.get(0).path("ino").asText());

            mappings.forEach(mapping -> assertThat(mapping.getString(0)).isEqualTo("kept"));
            assertThat(mappings).allMatch(MemorySegment::isLoaded);
            JsonNode recalled = json(node, "token", "recall", here.toString());
            assertThat(values(recalled.path("recalled"), "node")).contains("1", "2");
            assertThat(mappings).noneMatch(MemorySegment::isLoaded);
            mappings.forEach(mapping -> assertThat(mapping.getString(0)).isEqualTo("kept"));
            assertThat(text(node, "token", "recall", here.toString())).contains("Recalled ");
        }
    }

    private static MemorySegment mapped(Path file, Arena arena) throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldNameTheOwner(int node) throws Exception {
        JsonNode owner = json(node, "volume", "owner");
        assertThat(owner.path("node").asInt()).isEqualTo(owner());
        assertThat(owner.path("state").asText()).isEqualTo("ready");
        assertThat(text(node, "volume", "owner", "main")).contains("owned by node" + owner() + ", in epoch ");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldMoveAVolumeToAnotherNode(int node) throws Exception {
        int owner = owner();
        assertThat(text(node, "volume", "owner", "move", Integer.toString(owner)))
                .isEqualTo("Volume main is owned by node" + owner + " already.\n");
        int other = NODES + 1 - owner;
        assertThat(text(node, "volume", "owner", "move", Integer.toString(other)))
                .isEqualTo("Volume main goes to node" + other + ": it takes over now.\n");
        Files.writeString(file(1, "moved"), "kept");
        assertThat(json(node, "volume", "owner").path("node").asInt()).isEqualTo(other);
        assertThat(Files.readString(file(2, "moved"))).isEqualTo("kept");
    }

    @Test
    void shouldRefuseToMoveAVolumeToANodeThatIsNotThere() {
        assertThat(ask(1, "volume", "owner", "move", "7").expectFailure().output())
                .contains("there is no node 7")
                .hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldListSessions(int node) throws Exception {
        JsonNode sessions = json(node, "session", "list").path("sessions");
        assertThat(values(sessions, "node")).containsExactlyInAnyOrder("1", "2");
        assertThat(values(sessions, "state")).containsOnly("active");
        assertThat(text(node, "session", "list", "main")).contains("HEARD", "node1", "node2", "active");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldEvictASessionAndLetItsNodeBeginAnother(int asked) throws Exception {
        int victim = NODES + 1 - owner();
        assertThat(ask(asked, "session", "evict", Integer.toString(victim)).output())
                .contains("--yes");
        String before = sessionOf(asked, victim);
        assertThat(text(asked, "session", "evict", Integer.toString(victim), "--yes"))
                .contains("Node " + victim + " is fenced");
        CLUSTER.shell(
                LIMIT,
                CLUSTER.scratch(),
                "until echo again >" + file(victim, "evicted-" + asked) + "; do sleep 0.1; done 2>/dev/null");
        assertThat(Files.readString(file(owner(), "evicted-" + asked))).isEqualTo("again\n");
        assertThat(sessionOf(asked, victim)).isNotEmpty().isNotEqualTo(before);
    }

    @Test
    void shouldLetWhoLostItsLockByAnEvictionGoOnOnlyWhenItHasLetGo() throws Exception {
        int owner = owner();
        int victim = NODES + 1 - owner;
        Files.write(file(victim, "locked"), new byte[4096]);
        CLUSTER.shell(
                LIMIT,
                CLUSTER.scratch(),
                "sync " + file(victim, "locked")); // what is only closed may go with the session
        try (FileChannel holder = open(victim, "locked");
                FileChannel beside = open(victim, "locked");
                FileChannel other = open(owner, "locked")) {
            FileLock lock = holder.lock();
            assertThat(other.tryLock()).isNull();
            text(owner, "session", "evict", Integer.toString(victim), "--yes");
            assertThat(other.tryLock()).isNotNull();
            CLUSTER.shell(
                    LIMIT,
                    CLUSTER.scratch(),
                    "until echo >" + file(victim, "locked-again") + "; do sleep 0.1; done 2>/dev/null");
            ByteBuffer bytes = ByteBuffer.allocate(4096);
            assertThatThrownBy(() -> holder.read(bytes, 0)).hasMessageContaining("Input/output error");
            assertThatThrownBy(() -> holder.write(ByteBuffer.allocate(10), 0))
                    .hasMessageContaining("Input/output error");
            assertThat(beside.read(bytes.clear(), 0)).isEqualTo(4096);
            lock.release();
            assertThat(holder.read(bytes.clear(), 0)).isEqualTo(4096);
            assertThat(holder.write(ByteBuffer.allocate(10), 0)).isEqualTo(10);
        }
    }

    private static FileChannel open(int node, String name) throws IOException {
        return FileChannel.open(file(node, name), StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static String sessionOf(int asked, int node) throws IOException {
        for (JsonNode session : json(asked, "session", "list").path("sessions")) {
            if (session.path("node").asInt() == node) {
                return session.path("session").asText();
            }
        }
        return "";
    }

    @Test
    void shouldSayInOneLineWhyACommandFails() {
        for (int node = 1; node <= NODES; node++) {
            assertThat(ask(node, "fsck", "nowhere").expectFailure().output())
                    .isEqualTo("tessera: there is no volume nowhere\n");
            assertThat(ask(node, "session", "evict", "9", "--yes")
                            .expectFailure()
                            .output())
                    .isEqualTo("tessera: node 9 has no session with volume main\n");
            assertThat(ask(node, "token", "recall", "/etc/passwd")
                            .expectFailure()
                            .output())
                    .isEqualTo("tessera: /etc/passwd is not in a TesseraFS mount\n");
        }
    }

    @Test
    void shouldExamineTheHostAndEachNode() throws Exception {
        JsonNode healthy = MAPPER.readTree(
                CLUSTER.node().cli("doctor", "--json").expectSuccess().output());
        assertThat(healthy.path("healthy").asBoolean()).isTrue();
        assertThat(values(healthy.path("findings"), "verdict")).doesNotContain("FAIL");
        assertThat(values(healthy.path("findings"), "check"))
                .contains("fuse.device", "rdma.libraries", "pool.file", "cluster.zookeeper");
        assertThat(values(healthy.path("findings"), "fact"))
                .anyMatch(fact -> fact.startsWith("node 2 at tcp://"))
                .anyMatch(fact -> fact.startsWith("node 1 at tcp://"));

        Path secret = CLUSTER.directory().resolve("node1/cluster.secret");
        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-r--r--"));
        try {
            assertThat(CLUSTER.node().cli("doctor").expectFailure().output())
                    .contains("FAIL  secret.file", "-> chmod 600");
        } finally {
            Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
        }
    }

    @Test
    void shouldMakeAndDeleteVolumesForAllNodes() throws Exception {
        text(1, "volume", "create", "scratch");
        Path mount = Files.createDirectories(CLUSTER.directory().resolve("scratch-mount"));
        text(2, "mount", "scratch", mount.toString());
        Files.writeString(mount.resolve("f"), "there");
        assertThat(values(json(2, "volume", "list"), "name")).contains("main", "scratch");
        assertThat(values(json(2, "session", "list", "scratch").path("sessions"), "node"))
                .containsExactly("2");
        assertThat(ask(1, "volume", "delete", "scratch", "--force")
                        .expectFailure()
                        .output())
                .containsAnyOf("in use on node 2", "mounted at " + mount); // whichever node owns it by now
        text(2, "umount", mount.toString());
        text(2, "volume", "delete", "scratch", "--force");
        for (int node = 1; node <= NODES; node++) {
            assertThat(values(json(node, "volume", "list"), "name")).containsExactly("main");
        }
    }
}
