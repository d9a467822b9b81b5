package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Load on every node of a cluster while nodes die or stop, cables are pulled, packets get lost in one direction and ZooKeeper goes away,
 * one fault after the other. After each, when it has ended: nobody but who was killed has gone, and everything that was promised to
 * the workers is there. In the end: recorded histories are linearizable, no confirmed append is lost or torn, and fsck is content.
 *
 * <p>Properties: {@code tessera.chaos.seconds}, {@code tessera.chaos.nodes}, {@code tessera.chaos.faults} (names of {@link Fault},
 * joined by commas, or "all"; without it only those of links that leave everybody a member), {@code tessera.chaos.pool}, {@code tessera.seed}.
 */
@Tag("cluster")
class ChaosTest {
    private static final Duration LENGTH = Duration.ofSeconds(Integer.getInteger("tessera.chaos.seconds", 25));
    private static final int NODES = Integer.getInteger("tessera.chaos.nodes", 3);
    private static final long SEED = Long.getLong("tessera.seed", System.nanoTime() >>> 1);
    private static final List<Fault> FAULTS = faults(System.getProperty("tessera.chaos.faults", "ONE_WAY,SLOW"));
    /**
     * Space of deleted files comes back only when every node has let go of them, which one that is cut off does not before it is evicted: so this
     * takes some gigabytes.
     */
    private static final String POOL = System.getProperty("tessera.chaos.pool", "3G");

    private static final int LONGEST_CALM_MS = 1000;

    /** Longer than a lease, so that some faults end before nodes are given up and some after. */
    private static final int LONGEST_FAULT_MS = 12_000;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.apart("chaos", POOL, NODES);

    private final List<String> schedule = new ArrayList<>();

    private static List<Fault> faults(String names) {
        return names.equals("all")
                ? List.of(Fault.values())
                : Arrays.stream(names.split(",")).map(Fault::valueOf).toList();
    }

    @Test
    void shouldKeepItsPromisesWhateverHappens() throws IOException {
        Random random = new Random(SEED);
        ChaosLoad load = new ChaosLoad(CLUSTER, random);
        long end = System.nanoTime() + LENGTH.toNanos();
        try {
            load.startShared(LENGTH);
            do {
                load.startWorkers();
                pause(random, LONGEST_CALM_MS);
                strikeAndHeal(random);
                load.stopWorkers();
            } while (System.nanoTime() < end);
            load.checkShared();
            CLUSTER.expectCleanFsck();
            System.out.println("chaos: " + load.summary() + "; " + schedule);
        } catch (AssertionError e) {
            load.abandon();
            throw new AssertionError(
                    "-Dtessera.seed=" + SEED + ", faults so far " + schedule + ": " + e.getMessage(), e);
        }
    }

    private void strikeAndHeal(Random random) {
        NetNodes cluster = CLUSTER.network();
        Fault fault = FAULTS.get(random.nextInt(FAULTS.size()));
        schedule.add(fault.strike(cluster, random));
        pause(random, LONGEST_FAULT_MS);
        List<Integer> gone = cluster.nodes().stream()
                .filter(node -> !node.runs())
                .map(TestNode::number)
                .toList();
        assertThat(gone).as("nodes that do not run").hasSize(fault == Fault.KILL ? 1 : 0);
        cluster.heal();
    }

    /** The moment is what is random here; nothing is waited for. */
    private static void pause(Random random, int longestMs) {
        LockSupport.parkNanos(Duration.ofMillis(random.nextInt(longestMs)).toNanos());
    }
}
