package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.cluster.history.AppendChecker;
import io.tesserafs.cluster.history.AppendLayout.Journal;
import io.tesserafs.cluster.history.HistoryLayout;
import io.tesserafs.cluster.history.RegisterChecker;
import io.tesserafs.cluster.history.RegisterChecker.Loss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * What runs on a cluster while it is being broken, and what must hold afterwards. On every node: a process that reads and writes shared
 * registers, one that appends to a shared file, each confirming by a sync; and workers that change files and names of their own and note what
 * is promised to be there ({@code crashload.c}).
 */
final class ChaosLoad {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final int PAUSE_US = 3000;
    private static final int REGISTER_OPERATIONS = 50_000;
    private static final int RECORDS = 20_000;
    private static final int LAST_OPERATIONS = 100;
    private static final int LAST_RECORDS = 10;
    private static final List<String> KINDS = List.of("blocks", "replace", "churn", "append");

    /** {@code crashload.c}: ended because the mount failed, or because it was told to. */
    private static final int STOPPED = 3;

    private final TestCluster cluster;
    private final Random random;
    private final List<Path> directories;
    private final List<Path> histories = new ArrayList<>();
    private final List<Path> journals = new ArrayList<>();
    private final List<Command.Running> shared = new ArrayList<>();
    private final List<Command.Running> workers = new ArrayList<>();

    ChaosLoad(TestCluster cluster, Random random) {
        this.cluster = cluster;
        this.random = random;
        directories = cluster.workDirectories("chaos", cluster.nodes().size());
    }

    /** The processes that share files; they run for so long whatever happens. */
    void startShared(Duration length) {
        for (Path directory : directories) {
            shared.add(registers(directory, REGISTER_OPERATIONS, length, "tolerant"));
            shared.add(appender(directory, RECORDS, length, "tolerant"));
        }
    }

    private Command.Running registers(Path directory, int operations, Duration length, String option) {
        Path history = cluster.scratch().resolve("history" + (histories.size() + 1));
        histories.add(history);
        return start(
                NativePrograms.compile("histload"),
                directory.resolve("registers").toString(),
                history.toString(),
                Integer.toString(histories.size()),
                Integer.toString(random.nextInt(1 << 30)),
                Integer.toString(operations),
                Long.toString(length.toMillis()),
                Integer.toString(PAUSE_US),
                "file,map",
                "sync",
                option);
    }

    private Command.Running appender(Path directory, int records, Duration length, String option) {
        Path journal = cluster.scratch().resolve("journal" + (journals.size() + 1));
        journals.add(journal);
        return start(
                NativePrograms.compile("appender"),
                directory.resolve("log").toString(),
                journal.toString(),
                Integer.toString(journals.size()),
                Integer.toString(records),
                Long.toString(length.toMillis()),
                "sync",
                option);
    }

    private Command.Running start(String... command) {
        return cluster.commands().start(cluster.scratch(), command);
    }

    /** One worker for each node and kind, until {@link #stopWorkers}. */
    void startWorkers() {
        for (int node = 0; node < directories.size(); node++) {
            for (String kind : KINDS) {
                workers.add(start(worker(node, node, kind, "run")));
            }
        }
    }

    /** @param through the node in whose mount it works */
    private String[] worker(int node, int through, String kind, String verb) {
        return new String[] {
            NativePrograms.compile("crashload"),
            kind,
            verb,
            directories.get(through).resolve(kind + node).toString(),
            cluster.scratch().resolve(kind + node + ".state").toString(),
            Integer.toString(random.nextInt(1 << 30)),
            "far"
        };
    }

    /** For a cluster without faults: ends the workers, and looks from another node for all that they were promised. A node that lost its session may still be at beginning another. */
    void stopWorkers() {
        workers.forEach(Command.Running::terminate);
        for (Command.Running worker : workers) {
            Command.Result result = worker.await(LIMIT);
            assertThat(result.status())
                    .as(() -> "end of " + String.join(" ", result.command()) + "\n" + result.output())
                    .isEqualTo(STOPPED);
        }
        workers.clear();
        cluster.network().awaitSessions();
        for (int node = 0; node < directories.size(); node++) {
            for (String kind : KINDS) {
                int through = (node + 1) % directories.size();
                start(worker(node, through, kind, "verify")).await(LIMIT).expectSuccess();
            }
        }
    }

    /** For a cluster without faults, after the length of {@link #startShared}. */
    void checkShared() throws IOException {
        shared.forEach(process -> process.await(LIMIT).expectSuccess());
        cluster.network().awaitSessions();
        hearOfLosses();
        // Once more without tolerance, from everywhere, so that what is there in the end becomes part of the histories.
        List<Command.Running> last = new ArrayList<>();
        for (Path directory : directories) {
            last.add(registers(directory, LAST_OPERATIONS, LIMIT, "strict"));
            last.add(appender(directory, LAST_RECORDS, LIMIT, "strict"));
        }
        last.forEach(process -> process.await(LIMIT).expectSuccess());
        assertThat(RegisterChecker.check(HistoryLayout.read(histories), Loss.UNCONFIRMED))
                .isEmpty();
        List<Journal> noted = new ArrayList<>();
        for (Path journal : journals) {
            noted.add(Journal.read(journal));
        }
        for (Path directory : directories) {
            assertThat(AppendChecker.check(Files.readAllBytes(directory.resolve("log")), noted, true))
                    .isEmpty();
        }
    }

    /**
     * What a node lost while it was cut off, perhaps after its processes had ended, the next one that opens the file and calls fsync hears of: first from the
     * kernel, if that could not write pages back, then from the daemon.
     */
    private void hearOfLosses() {
        for (Path directory : directories) {
            for (String file : List.of("registers", "log")) {
                start(
                                "bash",
                                "-c",
                                "for i in {1..9}; do sync $0 && exit; sleep 1; done; exit 1",
                                directory.resolve(file).toString())
                        .await(LIMIT)
                        .expectSuccess();
            }
        }
    }

    /** How much was done, for people who read the output. */
    String summary() throws IOException {
        int confirmed = 0;
        for (Path journal : journals) {
            confirmed += Journal.read(journal).confirmed();
        }
        return HistoryLayout.read(histories).size() + " register operations, " + confirmed + " records confirmed";
    }

    /** After a failure: nothing may go on. */
    void abandon() {
        Stream.concat(shared.stream(), workers.stream())
                .filter(Command.Running::runs)
                .forEach(Command.Running::end);
    }
}
