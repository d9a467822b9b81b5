package io.tesserafs.cluster;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/** fcntl, open file description and flock locks between processes, on two nodes if there are as many: {@code locks.c}, each case a test. */
@Tag("cluster")
class LocksTest {
    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.ofNodes("locks", "256M");

    @TestFactory
    Stream<DynamicTest> shouldLockAsLinuxDoes() {
        String program = NativePrograms.compile("locks");
        List<Path> directories = CLUSTER.workDirectories("locks", 2);
        return CLUSTER.run(Command.DEFAULT_LIMIT, CLUSTER.scratch(), program, "--list")
                .output()
                .lines()
                .map(test -> DynamicTest.dynamicTest(
                        test,
                        () -> CLUSTER.run(
                                Duration.ofSeconds(60),
                                CLUSTER.scratch(),
                                program,
                                directories.get(0).toString(),
                                directories.get(1).toString(),
                                test)));
    }
}
