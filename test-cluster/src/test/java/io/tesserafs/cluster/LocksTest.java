package io.tesserafs.cluster;

import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/** fcntl, open file description and flock locks between processes, on two nodes if there are as many: {@code locks.c}, each case a test. */
@Tag("cluster")
class LocksTest {
    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.ofNodes("locks", "256M").patient();

    @TestFactory
    Stream<DynamicTest> shouldLockAsLinuxDoes() {
        return NativePrograms.cases("locks", CLUSTER, Duration.ofSeconds(60), CLUSTER.workDirectories("locks", 2));
    }
}
