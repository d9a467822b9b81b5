package io.tesserafs.cluster;

import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/** POSIX and Linux semantics on the mount: {@code posix.c}, each case a test. */
@Tag("cluster")
class PosixTest {
    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.oneNode("posix", "1G");

    @TestFactory
    Stream<DynamicTest> shouldKeepThePromisesOfPosix() {
        String program = NativePrograms.compile("posix");
        Path directory = CLUSTER.workDirectory("posix");
        return CLUSTER.run(Command.DEFAULT_LIMIT, CLUSTER.scratch(), program, "--list")
                .output()
                .lines()
                .map(test -> DynamicTest.dynamicTest(
                        test,
                        () -> CLUSTER.run(
                                Duration.ofSeconds(30), CLUSTER.scratch(), program, directory.toString(), test)));
    }
}
