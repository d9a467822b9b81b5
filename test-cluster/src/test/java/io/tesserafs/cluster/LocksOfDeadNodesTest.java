package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What becomes of locks when the node of their holder dies. Needs two nodes. */
@Tag("cluster")
class LocksOfDeadNodesTest {
    /** Far more than a lease. */
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private static final long POLL_MS = 20;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.ofNodes("deadlocks", "256M").lease(Duration.ofSeconds(12));

    @Test
    void shouldGiveTheLocksOfADeadNodeToWhoWaitsForThem() throws Exception {
        assumeTrue(CLUSTER.nodes().size() > 1);
        String program = NativePrograms.compile("locks");
        List<Path> directories = CLUSTER.workDirectories("locks", 2);
        Path file = Files.createFile(directories.get(0).resolve("f"));
        Path ready = CLUSTER.scratch().resolve("ready");
        Command.Running holder = CLUSTER.commands()
                .start(
                        CLUSTER.scratch(),
                        program,
                        "hold",
                        directories.get(1).resolve("f").toString(),
                        ready.toString());
        while (!Files.exists(ready)) {
            assertThat(holder.runs()).isTrue();
            Thread.sleep(POLL_MS);
        }
        Command.Running waiter = CLUSTER.commands().start(CLUSTER.scratch(), program, "take", file.toString());
        CLUSTER.nodes().get(1).kill();
        waiter.await(LIMIT).expectSuccess();
        Mounts.abortBelow(CLUSTER.nodes().get(1).directory());
        holder.end();
    }
}
