package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** An operator moves the bytes of files from brick to brick, whatever applications and their nodes do. */
@Tag("cluster")
class RelocationTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final ObjectMapper MAPPER = new ObjectMapper();

    @RegisterExtension
    static final TestCluster CLUSTER =
            TestCluster.apart("relocation", "512M", 3).lease(Duration.ofSeconds(12));

    @AfterEach
    void heal() {
        CLUSTER.network().heal();
    }

    private static NetNode node(int number) {
        return CLUSTER.network().nodes().get(number - 1);
    }

    private static Path on(int node, Path file) {
        return node(node).mount().resolve(CLUSTER.node().mount().relativize(file));
    }

    /** To the brick of a node. */
    private static Command.Result relocate(int asked, Path file, int to) throws IOException {
        return node(asked).ask("relocate", on(asked, file).toString(), "--to", "b" + brickOf(to));
    }

    private static JsonNode ask(String... command) throws IOException {
        return MAPPER.readTree(node(1).ask(command).expectSuccess().output());
    }

    /** Their numbers are given in the order in which nodes come. */
    private static int brickOf(int node) throws IOException {
        for (JsonNode brick : ask("brick", "list", "--json")) {
            if (brick.path("node").asInt() == node) {
                return brick.path("brick").asInt();
            }
        }
        throw new AssertionError("node " + node + " has no brick");
    }

    /** The nodes that have the file's extents. */
    private static Set<Integer> places(Path file) throws IOException {
        JsonNode stat = ask("stat", file.toString(), "--json");
        Map<Integer, Integer> nodes = new HashMap<>();
        stat.path("bricks")
                .forEach(brick -> nodes.put(
                        brick.path("brick").asInt(), brick.path("node").asInt()));
        Set<Integer> places = new TreeSet<>();
        stat.path("extents")
                .forEach(extent -> places.add(nodes.get(extent.path("brick").asInt())));
        return places;
    }

    private static void dd(String arguments) {
        CLUSTER.run(LIMIT, CLUSTER.scratch(), ("dd bs=1M status=none conv=notrunc,fsync " + arguments).split(" "));
    }

    private static void cmp(String... arguments) {
        List<String> all = new ArrayList<>(List.of("cmp"));
        all.addAll(List.of(arguments));
        CLUSTER.run(LIMIT, CLUSTER.scratch(), all.toArray(String[]::new));
    }

    private static Path random(String name, int mebibytes) {
        Path bytes = CLUSTER.scratch().resolve(name);
        dd("if=/dev/urandom of=" + bytes + " count=" + mebibytes);
        return bytes;
    }

    /** @param offset in MiB; fio's mappings begin with the file whatever it is told, so 0 for those */
    private static List<String> fio(Path file, String engine, int offset) {
        return List.of(
                "fio",
                "--name=" + engine,
                "--filename=" + file,
                "--ioengine=" + engine,
                "--rw=randwrite",
                "--bs=4k",
                "--offset=" + offset + "M",
                "--size=12M",
                "--verify=crc32c",
                "--loops=2",
                "--randseed=" + offset,
                "--output-format=terse");
    }

    @Test
    void shouldMoveAFileThatOtherNodesWriteAndMap() throws IOException {
        Path file = CLUSTER.workDirectory("used").resolve("file");
        dd("if=/dev/zero count=24 of=" + file);
        Command.Running writer = CLUSTER.commands()
                .start(CLUSTER.scratch(), fio(on(2, file), "psync", 12).toArray(String[]::new));
        Command.Running mapper = CLUSTER.commands()
                .start(CLUSTER.scratch(), fio(on(3, file), "mmap", 0).toArray(String[]::new));
        int moved = 0;
        while (writer.runs() || mapper.runs()) {
            relocate(1 + moved % 3, file, 1 + (moved + 1) % 3).expectSuccess();
            moved++;
        }
        writer.await(LIMIT).expectSuccess();
        mapper.await(LIMIT).expectSuccess();
        assertThat(moved).isPositive();
        relocate(1, file, 3).expectSuccess();
        assertThat(places(file)).containsExactly(3);
        cmp(file.toString(), on(2, file).toString());
        CLUSTER.expectCleanFsck();
        System.out.println("a file was moved " + moved + " times under two applications");
    }

    @Test
    void shouldMoveAwayFromANodeThatHangs() throws IOException {
        int owner = owner();
        int victim = owner % 3 + 1;
        int third = 6 - owner - victim;
        Path bytes = random("hang", 6);
        Path file = CLUSTER.workDirectory("hang").resolve("file");
        dd("if=" + bytes + " of=" + on(owner, file));
        // Not this process: it could start no other with the file open, since the child would close it.
        Path go = CLUSTER.scratch().resolve("go");
        CLUSTER.run(LIMIT, CLUSTER.scratch(), "mkfifo", go.toString());
        Path held = CLUSTER.scratch().resolve("held");
        Command.Running holder = CLUSTER.commands()
                .start(
                        CLUSTER.scratch(),
                        "bash",
                        "-ec",
                        "exec 3<>%1$s; echo not saved >&3; echo >%2$s; read <%3$s; sync %1$s"
                                .formatted(on(victim, file), held, go));
        CLUSTER.shell(LIMIT, CLUSTER.scratch(), "until [ -e " + held + " ]; do sleep 0.05; done");
        // It may take more than one try if the machine stalls just then, and all nodes with it.
        String relocate =
                TestDirectories.root().resolve("tessera") + " relocate " + on(third, file) + " --to b" + brickOf(third);
        try {
            node(victim).pause();
            CLUSTER.shell(LIMIT, CLUSTER.scratch(), "until " + relocate + "; do sleep 1; done");
            // What it wrote and did not save, may be there or not.
            cmp("-i", "10", bytes.toString(), on(third, file).toString());
            node(victim).resume();
            Files.writeString(go, "on\n");
            assertThat(holder.await(LIMIT).expectFailure().output()).contains("Input/output error");
        } finally {
            node(victim).resume();
            if (holder.runs()) {
                holder.end();
            }
        }
        CLUSTER.network().heal();
        cmp(on(third, file).toString(), on(victim, file).toString());
        assertThat(places(file)).containsExactly(third);
        CLUSTER.expectCleanFsck();
    }

    private static int owner() throws IOException {
        return ask("volume", "owner", "--json").path("node").asInt();
    }

    @Test
    void shouldLeaveEveryTileAtOnePlaceWhenTheMoverDies() throws IOException {
        int owner = owner();
        int mover = owner % 3 + 1;
        Path bytes = random("death", 160);
        Path file = CLUSTER.workDirectory("death").resolve("file");
        int from = 6 - owner - mover;
        dd("if=" + bytes + " of=" + on(from, file));
        // To and fro, since most of that time it copies.
        String relocate = TestDirectories.root().resolve("tessera") + " relocate " + on(mover, file) + " --to b";
        Command.Running moving = CLUSTER.commands()
                .start(
                        CLUSTER.scratch(),
                        "bash",
                        "-c",
                        "while %1$s%2$d && %1$s%3$d; do :; done".formatted(relocate, brickOf(mover), brickOf(from)));
        long delayMs = 1000L + new Random().nextInt(4000);
        LockSupport.parkNanos(Duration.ofMillis(delayMs).toNanos());
        assertThat(moving.runs()).as("the file is being moved").isTrue();
        node(mover).kill();
        moving.await(LIMIT);
        CLUSTER.network().heal();
        System.out.println("killed " + delayMs + " ms after relocations began: at nodes " + places(file));
        cmp(bytes.toString(), file.toString());
        CLUSTER.expectCleanFsck();
        relocate(mover, file, mover).expectSuccess();
        assertThat(places(file)).containsExactly(mover);
        cmp(bytes.toString(), on(from, file).toString());
    }

    @Test
    void shouldSayWhyItDoesNotMove() throws IOException {
        Path directory = CLUSTER.workDirectory("refused");
        Path bytes = random("refused", 160);
        Path file = directory.resolve("file");
        dd("if=" + bytes + " of=" + on(1, file));
        dd("if=/dev/zero count=400 of=" + on(2, directory.resolve("in-the-way")));
        assertThat(node(1).ask("relocate", file.toString(), "--to", "b9")
                        .expectFailure()
                        .output())
                .contains("no brick b9");
        assertThat(relocate(1, directory, 2).expectFailure().output()).contains("not a regular file");
        assertThat(relocate(1, CLUSTER.scratch().resolve("refused"), 2)
                        .expectFailure()
                        .output())
                .contains("not in a TesseraFS mount");
        assertThat(relocate(1, file, 2).expectFailure().output()).contains("no space left on brick b" + brickOf(2));
        cmp(bytes.toString(), on(3, file).toString());
        Files.delete(file);
        Files.delete(directory.resolve("in-the-way"));
        CLUSTER.expectCleanFsck();
    }
}
