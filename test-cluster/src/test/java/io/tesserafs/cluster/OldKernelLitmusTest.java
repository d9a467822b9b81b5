package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The litmus tests that hand mapped pages over, with nodes that take their kernel for Linux 6.1, which is not told to forget names, and
 * whose writes have to be waited for. That they get by with such a kernel is seen; what that kernel does wrong is seen only with one.
 */
@Tag("cluster")
class OldKernelLitmusTest {
    private static final Duration LIMIT = Duration.ofMinutes(4);
    private static final int ROUNDS = 300;
    private static final long SEED = Long.getLong("tessera.seed", System.nanoTime() >>> 1);
    private static final String MOUNT = "  - volume: main\n";

    @RegisterExtension
    static final TestCluster CLUSTER =
            TestCluster.together("litmus-old", "1G", 2).patient();

    @BeforeAll
    static void speakAnOldProtocol() throws IOException {
        CLUSTER.node().stop();
        for (TestNode node : CLUSTER.nodes()) {
            Path file = node.directory().resolve("node.yaml");
            String config = Files.readString(file);
            assertThat(config).contains(MOUNT);
            Files.writeString(file, config.replace(MOUNT, MOUNT + "    fuseMinor: 38\n"));
        }
        CLUSTER.node().start();
    }

    @AfterAll
    static void shouldLeaveAConsistentVolume() {
        CLUSTER.expectCleanFsck();
    }

    @ParameterizedTest
    @CsvSource({
        "mp, map",
        "sb, map",
        "sb, mixed",
        "iriw, map",
        "coherence, mixed",
        "seqlock, map",
        "counter-atomic, map",
        "counter-posix, mixed",
        "extend-map, file",
        "names, file"
    })
    void shouldBeSequentiallyConsistent(String test, String how) {
        List<String> command = new ArrayList<>(List.of(
                NativePrograms.compile("litmus", "-pthread"),
                test,
                how,
                Integer.toString(ROUNDS),
                Long.toString(SEED)));
        CLUSTER.workDirectories("litmus", 2).forEach(directory -> command.add(directory.toString()));
        CLUSTER.run(LIMIT, CLUSTER.scratch(), command.toArray(String[]::new));
    }
}
