package io.tesserafs.cluster;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random operations on one file by processes of two nodes in turn: {@code fsx.c}. The seed is in the test's name and output. */
@Tag("cluster")
class SharedFsxTest {
    /** Of each run; {@code -Dtessera.fsx.operations=100000} for a long one. */
    private static final int OPERATIONS = Integer.getInteger("tessera.fsx.operations", 2000);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.ofNodes("shared-fsx", "1G").patient();

    @ParameterizedTest
    @ValueSource(ints = {3, 23, 24, 25})
    void shouldSeeInOneTurnWhatAnotherNodeDidInTheLast(int seed) {
        run(seed);
    }

    @Test
    void shouldSeeInOneTurnWhatAnotherNodeDidInTheLastFromANewSeed() {
        run((int) (System.currentTimeMillis() % 1_000_000));
    }

    private static void run(int seed) {
        List<Path> directories = CLUSTER.workDirectories("fsx", 2);
        String[] command = Stream.concat(
                        Stream.of(NativePrograms.compile("fsx"), Integer.toString(seed), Integer.toString(OPERATIONS)),
                        directories.stream()
                                .map(directory -> directory.resolve("file").toString()))
                .toArray(String[]::new);
        CLUSTER.run(Duration.ofSeconds(120L + OPERATIONS / 20), CLUSTER.scratch(), command);
    }
}
