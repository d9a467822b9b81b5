package io.tesserafs.cluster;

import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/** fcntl, open file description and flock locks between processes: {@code locks.c}, each case a test. */
@Tag("cluster")
class LocksTest {
    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.oneNode("locks", "256M");

    @TestFactory
    Stream<DynamicTest> shouldLockAsLinuxDoes() {
        String program = NativePrograms.compile("locks");
        Path directory = CLUSTER.workDirectory("locks");
        return CLUSTER.run(Command.DEFAULT_LIMIT, CLUSTER.scratch(), program, "--list")
                .output()
                .lines()
                .map(test -> DynamicTest.dynamicTest(
                        test,
                        () -> CLUSTER.run(
                                Duration.ofSeconds(60),
                                CLUSTER.scratch(),
                                program,
                                directory.toString(),
                                directory.toString(),
                                test)));
    }
}
