package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Memory that processes on different nodes share through a file behaves like memory: what may be seen and what not is listed in
 * {@code litmus.c}. The tests that do without a mount show that each program notices when it does not.
 */
@Tag("cluster")
class LitmusTest {
    private static final Duration LIMIT = Duration.ofMinutes(4);
    private static final int ROUNDS = Integer.getInteger("tessera.litmus.rounds", 1000);
    private static final long SEED = Long.getLong("tessera.seed", System.nanoTime() >>> 1);
    private static final int DIRECTORIES = 3;
    private static final int HANDOFFS = 2000;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.ofNodes("litmus", "1G").patient();

    @AfterAll
    static void shouldLeaveAConsistentVolume() {
        CLUSTER.expectCleanFsck();
    }

    private static String[] litmus(String test, String how, int rounds, List<Path> directories) {
        List<String> command = new ArrayList<>(List.of(
                NativePrograms.compile("litmus", "-pthread"),
                test,
                how,
                Integer.toString(rounds),
                Long.toString(SEED)));
        directories.forEach(directory -> command.add(directory.toString()));
        return command.toArray(String[]::new);
    }

    private static void expectAllowed(String test, String how) {
        List<Path> directories = CLUSTER.workDirectories("litmus", DIRECTORIES);
        CLUSTER.run(LIMIT, CLUSTER.scratch(), litmus(test, how, ROUNDS, directories));
    }

    @ParameterizedTest
    @CsvSource({
        "mp, map",
        "mp, file",
        "mp, mixed",
        "mp-wait, map",
        "mp-wait, file",
        "mp-wait, mixed",
        "sb, map",
        "sb, file",
        "sb, mixed",
        "sb-relaxed, map",
        "iriw, map",
        "iriw, file",
        "iriw, mixed",
        "coherence, map",
        "coherence, file",
        "coherence, mixed",
        "seqlock, map",
        "seqlock, mixed"
    })
    void shouldBeSequentiallyConsistent(String test, String how) {
        expectAllowed(test, how);
    }

    @ParameterizedTest
    @CsvSource({
        "counter-posix, map",
        "counter-posix, file",
        "counter-posix, mixed",
        "counter-ofd, map",
        "counter-ofd, file",
        "counter-flock, map",
        "counter-flock, file",
        "counter-atomic, map"
    })
    void shouldNotLoseIncrements(String test, String how) {
        expectAllowed(test, how);
    }

    @ParameterizedTest
    @ValueSource(strings = {"extend", "extend-sync", "extend-map", "names"})
    void shouldShowSizesAndNamesAtOnce(String test) {
        expectAllowed(test, "file");
    }

    @Test
    void shouldHandAMappedPageOver() {
        List<Path> directories = CLUSTER.workDirectories("handoff", 2);
        CLUSTER.run(
                LIMIT,
                CLUSTER.scratch(),
                NativePrograms.compile("handoff"),
                Integer.toString(HANDOFFS),
                directories.get(0).toString(),
                directories.get(1).toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"mp", "mp-wait", "sb", "iriw", "coherence", "seqlock", "counter-posix"})
    void shouldNoticeStaleLoads(String test) throws Exception {
        Path directory = Files.createDirectory(CLUSTER.scratch().resolve("stale-" + test));
        String output = CLUSTER.commands()
                .run(LIMIT, CLUSTER.scratch(), litmus(test, "stale", 5000, List.of(directory, directory)))
                .expectFailure()
                .output();
        assertThat(output).containsAnyOf("forbidden", "differ", "counts");
    }

    @ParameterizedTest
    @CsvSource({"extend, an old size", "names, an old name"})
    void shouldNoticeStaleSizesAndNames(String test, String complaint) throws Exception {
        Path one = Files.createDirectory(CLUSTER.scratch().resolve("one-" + test));
        Path two = Files.createDirectory(CLUSTER.scratch().resolve("two-" + test));
        Files.write(two.resolve("litmus-" + test + "-file"), new byte[64 << 10]);
        String output = CLUSTER.commands()
                .run(LIMIT, CLUSTER.scratch(), litmus(test, "file", 10, List.of(one, two)))
                .expectFailure()
                .output();
        assertThat(output).contains(complaint);
    }
}
