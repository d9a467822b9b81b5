package io.tesserafs.cluster;

import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/** POSIX and Linux semantics on the mount: {@code posix.c}, each case a test. */
@Tag("cluster")
class PosixTest {
    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.oneNode("posix", "1G").patient();

    @TestFactory
    Stream<DynamicTest> shouldKeepThePromisesOfPosix() {
        return NativePrograms.cases("posix", CLUSTER, Duration.ofSeconds(30), List.of(CLUSTER.workDirectory("posix")));
    }
}
