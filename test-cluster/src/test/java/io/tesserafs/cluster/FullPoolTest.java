package io.tesserafs.cluster;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Nodes whose pools are full, while others write: what is confirmed is there, and there is room again after a delete. */
@Tag("cluster")
class FullPoolTest {
    private static final long SEED = Long.getLong("tessera.seed", System.nanoTime() >>> 1);
    private static final Duration LENGTH = Duration.ofSeconds(8);
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final int FILLS = 2;
    private static final int ROOM_BYTES = 1 << 20;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.apart("full", "192M", 2).patient();

    /** Space of a deleted file comes back in the background. What is written there before may still fail for want of it, some seconds later. */
    private static void awaitRoom(Path mount) {
        CLUSTER.shell(LIMIT, CLUSTER.scratch(), """
                until head -c %1$d /dev/zero >%2$s/room && sync %2$s/room; do sleep 0.2; done 2>/dev/null
                rm %2$s/room
                """.formatted(ROOM_BYTES, mount));
    }

    @Test
    void shouldKeepWhatIsConfirmedWhileItIsFull() throws IOException {
        ChaosLoad load = new ChaosLoad(CLUSTER, new Random(SEED));
        try {
            load.startShared(LENGTH);
            for (int i = 0; i < FILLS; i++) {
                Path mount = CLUSTER.nodes().get(i % 2).mount();
                CLUSTER.shell(LIMIT, CLUSTER.scratch(), """
                        ! cat /dev/zero 2>error >%1$s/filler
                        grep -q 'No space left' error
                        rm %1$s/filler
                        """.formatted(mount));
            }
            CLUSTER.nodes().forEach(node -> awaitRoom(node.mount()));
            load.checkShared();
            CLUSTER.expectCleanFsck();
        } catch (AssertionError e) {
            load.abandon();
            throw new AssertionError("-Dtessera.seed=" + SEED + ": " + e.getMessage(), e);
        }
    }
}
