package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
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
    static final TestCluster CLUSTER =
            TestCluster.together("admin", "1G", NODES).patient();

    private static final Operator OPERATOR = new Operator(CLUSTER);

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldListNodesAndHowTheyAreReached(int node) throws Exception {
        JsonNode nodes = OPERATOR.awaitJson(
                all -> Operator.values(all, "state").equals(List.of("ready", "ready"))
                        && Operator.values(all, "via").contains("shm"),
                node,
                "node",
                "list");
        assertThat(Operator.values(nodes, "node")).containsExactly("1", "2");
        assertThat(nodes.get(node - 1).path("via").asText()).isEqualTo("local");
        assertThat(nodes.get(NODES - node).path("via").asText()).isEqualTo("shm");
        assertThat(nodes.get(NODES - node).path("roundTripUs").asLong()).isPositive();
        OPERATOR.awaitText(List.of("NODE", "node1", "node2", "shm", "tcp://"), node, "node", "list");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldListTheBricksOfAllNodes(int node) throws Exception {
        JsonNode bricks = OPERATOR.awaitJson(
                all -> Operator.values(all, "state").equals(List.of("up", "up"))
                        && Operator.values(all, "via").contains("shm"),
                node,
                "brick",
                "list");
        assertThat(Operator.values(bricks, "node")).containsExactlyInAnyOrder("1", "2");
        assertThat(Operator.values(bricks, "via")).containsExactlyInAnyOrder("local", "shm");
        assertThat(Operator.values(bricks, "persistence")).doesNotContain("");
        OPERATOR.awaitText(List.of("PERSISTENCE", "shm", "node2/pool"), node, "brick", "list");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldShowStatusWithPeersAndOwner(int node) throws Exception {
        int owner = OPERATOR.owner();
        JsonNode nodes = OPERATOR.awaitJson(
                        answer -> IntStream.range(0, NODES)
                                .mapToObj(answer.path("nodes")::path)
                                .allMatch(each -> each.path("peers")
                                                .path(0)
                                                .path("via")
                                                .asText()
                                                .equals("shm")
                                        && each.path("volumes")
                                                        .path(0)
                                                        .path("owner")
                                                        .asInt()
                                                == owner),
                        node,
                        "status")
                .path("nodes");
        assertThat(Operator.values(nodes, "node")).containsExactly("1", "2");
        assertThat(nodes.get(0).path("peers").get(0).path("node").asInt()).isEqualTo(2);
        assertThat(nodes.get(1).path("volumes").get(0).path("totalBytes").asLong())
                .isPositive();
        OPERATOR.awaitText(List.of("peers   node2 ready (shm)", "owned by node" + owner), node, "status");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldNameTheBricksOfAFile(int node) throws Exception {
        Files.write(OPERATOR.file(1, "on-bricks"), new byte[3 << 20]);
        CLUSTER.run(
                LIMIT, CLUSTER.scratch(), "sync", OPERATOR.file(1, "on-bricks").toString());
        JsonNode stat = MAPPER.readTree(CLUSTER.commands()
                .run(
                        LIMIT,
                        CLUSTER.scratch(),
                        tessera(),
                        "stat",
                        "--json",
                        OPERATOR.file(node, "on-bricks").toString())
                .expectSuccess()
                .output());
        assertThat(stat.path("size").asLong()).isEqualTo(3 << 20);
        assertThat(stat.path("extents")).isNotEmpty();
        assertThat(Operator.values(stat.path("bricks"), "brick"))
                .containsAll(Operator.values(stat.path("extents"), "brick"));
        assertThat(CLUSTER.commands()
                        .run(
                                LIMIT,
                                CLUSTER.scratch(),
                                tessera(),
                                "stat",
                                OPERATOR.file(node, "on-bricks").toString())
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
        Files.writeString(OPERATOR.file(node, "logged-" + node), "x");
        assertThat(OPERATOR.text(node, "fsck")).contains("clean");
        assertThat(OPERATOR.json(node, "fsck").path("problems")).isEmpty();
        assertThat(OPERATOR.text(node, "log", "dump")).contains("logged-" + node);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldListTokensAndRecallThem(int node) throws Exception {
        Path here = OPERATOR.file(node, "cached-" + node);
        Path there = OPERATOR.file(NODES + 1 - node, "cached-" + node);
        Files.writeString(here, "kept\0");
        try (Arena arena = Arena.ofShared()) {
            List<MemorySegment> mappings = List.of(mapped(here, arena), mapped(there, arena));
            mappings.forEach(mapping -> assertThat(mapping.getString(0)).isEqualTo("kept"));

            JsonNode tokens =
                    OPERATOR.json(node, "token", "list", here.toString()).path("tokens");
            assertThat(Operator.values(tokens, "node")).contains("1", "2");
            assertThat(Operator.values(tokens, "kind")).contains("data");
            assertThat(OPERATOR.text(node, "token", "list", here.toString()))
                    .contains("INODE", "data", "shared", "node1", "node2");
            assertThat(Operator.values(OPERATOR.json(node, "token", "list").path("tokens"), "ino"))
                    .contains(tokens.get(0).path("ino").asText());

            mappings.forEach(mapping -> assertThat(mapping.getString(0)).isEqualTo("kept"));
            assertThat(mappings).allMatch(MemorySegment::isLoaded);
            JsonNode recalled = OPERATOR.json(node, "token", "recall", here.toString());
            assertThat(Operator.values(recalled.path("recalled"), "node")).contains("1", "2");
            assertThat(mappings).noneMatch(MemorySegment::isLoaded);
            mappings.forEach(mapping -> assertThat(mapping.getString(0)).isEqualTo("kept"));
            assertThat(OPERATOR.text(node, "token", "recall", here.toString())).contains("Recalled ");
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
        JsonNode owner =
                OPERATOR.awaitJson(answer -> answer.path("state").asText().equals("ready"), node, "volume", "owner");
        assertThat(owner.path("node").asInt()).isEqualTo(OPERATOR.owner());
        assertThat(OPERATOR.text(node, "volume", "owner", "main"))
                .contains("owned by node" + OPERATOR.owner() + ", in epoch ");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldMoveAVolumeToAnotherNode(int node) throws Exception {
        int owner = OPERATOR.owner();
        assertThat(OPERATOR.text(node, "volume", "owner", "move", Integer.toString(owner)))
                .isEqualTo("Volume main is owned by node" + owner + " already.\n");
        int other = NODES + 1 - owner;
        assertThat(OPERATOR.text(node, "volume", "owner", "move", Integer.toString(other)))
                .isEqualTo("Volume main goes to node" + other + ": it takes over now.\n");
        Files.writeString(OPERATOR.file(1, "moved"), "kept");
        assertThat(OPERATOR.json(node, "volume", "owner").path("node").asInt()).isEqualTo(other);
        assertThat(Files.readString(OPERATOR.file(2, "moved"))).isEqualTo("kept");
    }

    @Test
    void shouldRefuseToMoveAVolumeToANodeThatIsNotThere() {
        assertThat(OPERATOR.ask(1, "volume", "owner", "move", "7")
                        .expectFailure()
                        .output())
                .contains("there is no node 7")
                .hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldListSessions(int node) throws Exception {
        JsonNode sessions = OPERATOR.awaitJson(
                        answer -> Operator.values(answer.path("sessions"), "state")
                                .equals(List.of("active", "active")),
                        node,
                        "session",
                        "list")
                .path("sessions");
        assertThat(Operator.values(sessions, "node")).containsExactlyInAnyOrder("1", "2");
        assertThat(OPERATOR.text(node, "session", "list", "main")).contains("HEARD", "node1", "node2", "active");
    }

    @Test
    void shouldSayInOneLineWhyACommandFails() {
        for (int node = 1; node <= NODES; node++) {
            assertThat(OPERATOR.ask(node, "fsck", "nowhere").expectFailure().output())
                    .isEqualTo("tessera: there is no volume nowhere\n");
            assertThat(OPERATOR.ask(node, "session", "evict", "9", "--yes")
                            .expectFailure()
                            .output())
                    .isEqualTo("tessera: node 9 has no session with volume main\n");
            assertThat(OPERATOR.ask(node, "token", "recall", "/etc/passwd")
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
        assertThat(Operator.values(healthy.path("findings"), "verdict")).doesNotContain("FAIL");
        assertThat(Operator.values(healthy.path("findings"), "check"))
                .contains("fuse.device", "rdma.libraries", "pool.file", "cluster.zookeeper");
        assertThat(Operator.values(healthy.path("findings"), "fact"))
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

    /** If the owner was not told in time that a mount is gone, the volume is in use until the lease is over. */
    private static void delete(String volume) {
        long end = System.nanoTime() + LIMIT.toNanos();
        Command.Result result = OPERATOR.ask(2, "volume", "delete", volume, "--force");
        while (result.status() != 0 && System.nanoTime() < end) {
            assertThat(result.output()).contains("in use on node");
            result = OPERATOR.ask(2, "volume", "delete", volume, "--force");
        }
        result.expectSuccess();
    }

    @Test
    void shouldMakeAndDeleteVolumesForAllNodes() throws Exception {
        OPERATOR.text(1, "volume", "create", "scratch");
        Path mount = Files.createDirectories(CLUSTER.directory().resolve("scratch-mount"));
        OPERATOR.text(2, "mount", "scratch", mount.toString());
        Files.writeString(mount.resolve("f"), "there");
        assertThat(Operator.values(OPERATOR.json(2, "volume", "list"), "name")).contains("main", "scratch");
        assertThat(Operator.values(
                        OPERATOR.json(2, "session", "list", "scratch").path("sessions"), "node"))
                .containsExactly("2");
        assertThat(OPERATOR.ask(1, "volume", "delete", "scratch", "--force")
                        .expectFailure()
                        .output())
                .containsAnyOf("in use on node 2", "mounted at " + mount); // whichever node owns it by now
        OPERATOR.text(2, "umount", mount.toString());
        delete("scratch");
        for (int node = 1; node <= NODES; node++) {
            assertThat(Operator.values(OPERATOR.json(node, "volume", "list"), "name"))
                    .containsExactly("main");
        }
    }
}
