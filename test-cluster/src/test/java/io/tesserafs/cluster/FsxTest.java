package io.tesserafs.cluster;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random operations on one file against a copy in memory: {@code fsx.c}. The seed is in the test's name and output. */
@Tag("cluster")
class FsxTest {
    /** Of each run; {@code -Dtessera.fsx.operations=100000} for a long one. */
    private static final int OPERATIONS = Integer.getInteger("tessera.fsx.operations", 4000);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.oneNode("fsx", "1G").patient();

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void shouldReadWhatWasWrittenInAnyOrder(int seed) {
        run(seed);
    }

    @Test
    void shouldReadWhatWasWrittenFromANewSeed() {
        run((int) (System.currentTimeMillis() % 1_000_000));
    }

    private static void run(int seed) {
        String program = NativePrograms.compile("fsx");
        Path file = CLUSTER.workDirectory("fsx").resolve("file");
        CLUSTER.run(
                Duration.ofSeconds(60L + OPERATIONS / 50),
                CLUSTER.scratch(),
                program,
                Integer.toString(seed),
                Integer.toString(OPERATIONS),
                file.toString());
    }
}
