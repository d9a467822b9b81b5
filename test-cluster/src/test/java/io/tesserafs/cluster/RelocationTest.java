package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
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
    static final TestCluster CLUSTER = TestCluster.apart("relocation", "256M", 3).lease(Duration.ofSeconds(12));

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

    private static Command.Result relocate(int asked, Path file, int brick) {
        return node(asked).ask("relocate", on(asked, file).toString(), "--to", "b" + brick);
    }

    /** The bricks that the file's extents are on. */
    private static Set<Integer> bricks(Path file) throws IOException {
        JsonNode stat = MAPPER.readTree(CLUSTER.network()
                .nodes()
                .getFirst()
                .ask("stat", file.toString(), "--json")
                .expectSuccess()
                .output());
        Set<Integer> bricks = new TreeSet<>();
        stat.path("extents").forEach(extent -> bricks.add(extent.path("brick").asInt()));
        return bricks;
    }

    private static void dd(String arguments) {
        CLUSTER.run(LIMIT, CLUSTER.scratch(), ("dd bs=1M status=none conv=notrunc,fsync " + arguments).split(" "));
    }

    private static Path random(String name, int mebibytes) {
        Path bytes = CLUSTER.scratch().resolve(name);
        dd("if=/dev/urandom of=" + bytes + " count=" + mebibytes);
        return bytes;
    }

    private static List<String> fio(Path file, String engine, int half) {
        return List.of(
                "fio",
                "--name=half" + half,
                "--filename=" + file,
                "--ioengine=" + engine,
                "--rw=randwrite",
                "--bs=4k",
                "--offset=" + 12 * half + "M",
                "--size=12M",
                "--verify=crc32c",
                "--loops=2",
                "--randseed=" + half,
                "--output-format=terse");
    }

    @Test
    void shouldMoveAFileThatOtherNodesWriteAndMap() throws IOException {
        Path file = CLUSTER.workDirectory("used").resolve("file");
        dd("if=/dev/zero count=24 of=" + file);
        Command.Running writer = CLUSTER.commands()
                .start(CLUSTER.scratch(), fio(on(2, file), "psync", 0).toArray(String[]::new));
        Command.Running mapper = CLUSTER.commands()
                .start(CLUSTER.scratch(), fio(on(3, file), "mmap", 1).toArray(String[]::new));
        int moved = 0;
        while (writer.runs() || mapper.runs()) {
            relocate(1 + moved % 3, file, 1 + (moved + 1) % 3).expectSuccess();
            moved++;
        }
        writer.await(LIMIT).expectSuccess();
        mapper.await(LIMIT).expectSuccess();
        assertThat(moved).isPositive();
        relocate(1, file, 3).expectSuccess();
        assertThat(bricks(file)).containsExactly(3);
        CLUSTER.run(LIMIT, CLUSTER.scratch(), "cmp", file.toString(), on(2, file).toString());
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
        try (FileChannel held =
                FileChannel.open(on(victim, file), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            // It holds the token, and a handle to the block, with bytes that it has not saved.
            held.write(ByteBuffer.wrap("not saved".getBytes(java.nio.charset.StandardCharsets.US_ASCII)), 2_500_000);
            node(victim).pause();
            assertThat(relocate(third, file, third).expectSuccess().output()).contains("Moved 3 extents");
            CLUSTER.run(LIMIT, CLUSTER.scratch(), "cmp", bytes.toString(), on(third, file).toString());
            node(victim).resume();
            assertThatThrownBy(() -> held.force(true)).isInstanceOf(IOException.class);
        }
        CLUSTER.network().heal();
        CLUSTER.run(LIMIT, CLUSTER.scratch(), "cmp", bytes.toString(), on(victim, file).toString());
        assertThat(bricks(file)).containsExactly(third);
        CLUSTER.expectCleanFsck();
    }

    private static int owner() throws IOException {
        return MAPPER.readTree(node(1).ask("volume", "owner", "--json").expectSuccess().output())
                .path("node")
                .asInt();
    }

    @Test
    void shouldLeaveEveryTileAtOnePlaceWhenTheMoverDies() throws IOException {
        int mover = owner() % 3 + 1;
        Path bytes = random("death", 160);
        Path file = CLUSTER.workDirectory("death").resolve("file");
        int from = 6 - owner() - mover;
        dd("if=" + bytes + " of=" + on(from, file));
        Command.Running moving = CLUSTER.commands()
                .start(
                        CLUSTER.scratch(),
                        "bash",
                        "-c",
                        TestDirectories.root().resolve("tessera") + " relocate " + on(mover, file) + " --to b" + mover);
        long delayMs = 300 + new Random().nextInt(1500);
        LockSupport.parkNanos(Duration.ofMillis(delayMs).toNanos());
        node(mover).kill();
        moving.await(LIMIT);
        CLUSTER.network().heal();
        System.out.println("killed " + delayMs + " ms after the beginning of a relocation: bricks " + bricks(file));
        CLUSTER.run(LIMIT, CLUSTER.scratch(), "cmp", bytes.toString(), file.toString());
        CLUSTER.expectCleanFsck();
        relocate(mover, file, mover).expectSuccess();
        assertThat(bricks(file)).containsExactly(mover);
        CLUSTER.run(LIMIT, CLUSTER.scratch(), "cmp", bytes.toString(), on(from, file).toString());
    }

    @Test
    void shouldSayWhyItDoesNotMove() throws IOException {
        Path directory = CLUSTER.workDirectory("refused");
        Path bytes = random("refused", 160);
        Path file = directory.resolve("file");
        dd("if=" + bytes + " of=" + on(1, file));
        dd("if=/dev/zero count=160 of=" + on(2, directory.resolve("in-the-way")));
        assertThat(relocate(1, file, 9).expectFailure().output()).contains("no brick b9");
        assertThat(relocate(1, directory, 2).expectFailure().output()).contains("not a regular file");
        assertThat(relocate(1, CLUSTER.scratch().resolve("refused"), 2)
                        .expectFailure()
                        .output())
                .contains("not in a TesseraFS mount");
        assertThat(relocate(1, file, 2).expectFailure().output()).contains("no space left on brick b2");
        CLUSTER.run(LIMIT, CLUSTER.scratch(), "cmp", bytes.toString(), on(3, file).toString());
        Files.delete(file);
        Files.delete(directory.resolve("in-the-way"));
        CLUSTER.expectCleanFsck();
    }
}
