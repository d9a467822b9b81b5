package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * The daemon dies by SIGKILL at random moments under load, again and again. After each restart: what close and fsync answered is
 * there, renames are atomic, every answered change of names and attributes is there (crash rule 2), and fsck finds names, extents and blocks
 * in agreement, nothing leaked. What exactly is checked is in {@code crashload.c}.
 */
@Tag("cluster")
class CrashLoopTest {
    /** {@code -Dtessera.crash.rounds=500} for a long run. */
    private static final int ROUNDS = Integer.getInteger("tessera.crash.rounds", 40);

    private static final long SEED = Long.getLong("tessera.crash.seed", System.currentTimeMillis());

    /** Checking with the daemon stopped costs a start; now and then is enough. */
    private static final int OFFLINE_EVERY = 10;

    private static final int LONGEST_LOAD_MS = 700;

    /** {@code crashload.c}: ended because the mount died, as planned. */
    private static final int STOPPED = 3;

    private static final Duration LIMIT = Duration.ofSeconds(45);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.oneNode("crash", "1G").patient();

    /** One worker: a kind of load, its directory in the mount, and its memory outside. */
    private record Worker(String kind, int number) {
        String[] command(String program, String verb, long seed) {
            return new String[] {
                program,
                kind,
                verb,
                CLUSTER.node().mount().resolve(kind + number).toString(),
                CLUSTER.scratch().resolve(kind + number + ".state").toString(),
                Long.toString(seed)
            };
        }
    }

    @Test
    void shouldKeepItsPromisesWhenKilledAtAnyMoment() {
        String program = NativePrograms.compile("crashload");
        Random random = new Random(SEED);
        List<Worker> workers = new ArrayList<>();
        for (String kind : List.of("blocks", "replace", "churn", "append", "blocks", "churn")) {
            workers.add(new Worker(kind, workers.size()));
        }
        for (int round = 1; round <= ROUNDS; round++) {
            try {
                load(program, workers, random);
                restart(round);
                verify(program, workers);
            } catch (AssertionError e) {
                throw new AssertionError(
                        "round " + round + " of -Dtessera.crash.seed=" + SEED + ": " + e.getMessage(), e);
            }
        }
    }

    private static void load(String program, List<Worker> workers, Random random) {
        List<Command.Running> running = new ArrayList<>();
        for (Worker worker : workers) {
            running.add(CLUSTER.commands()
                    .start(CLUSTER.scratch(), worker.command(program, "run", random.nextInt(1 << 30))));
        }
        // The moment of the kill is what is random here; nothing is waited for.
        LockSupport.parkNanos(Duration.ofMillis(random.nextInt(LONGEST_LOAD_MS)).toNanos());
        CLUSTER.node().kill();
        for (Command.Running process : running) {
            Command.Result result = process.await(LIMIT);
            assertThat(result.status())
                    .as(() -> "end of " + String.join(" ", result.command()) + "\n" + result.output())
                    .isEqualTo(STOPPED);
        }
    }

    private static void restart(int round) {
        if (round % OFFLINE_EVERY == 0) {
            CLUSTER.node().expectCleanFsck();
        }
        CLUSTER.node().start();
        CLUSTER.node().expectCleanFsck();
    }

    private static void verify(String program, List<Worker> workers) {
        for (Worker worker : workers) {
            CLUSTER.commands()
                    .run(LIMIT, CLUSTER.scratch(), worker.command(program, "verify", 0))
                    .expectSuccess();
        }
    }
}
