package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.cluster.history.HistoryLayout;
import io.tesserafs.cluster.history.RegisterChecker;
import io.tesserafs.cluster.history.RegisterChecker.Loss;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What processes on different nodes read and wrote at random, recorded, has an order that explains all of it. */
@Tag("cluster")
class HistoryTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final long SEED = Long.getLong("tessera.seed", System.nanoTime() >>> 1);
    private static final int OPERATIONS = Integer.getInteger("tessera.history.operations", 5000);
    private static final int PROCESSES = 4;
    private static final int LIMIT_MS = 20_000;
    private static final int PAUSE_US = 20;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.ofNodes("history", "1G").patient();

    @ParameterizedTest
    @ValueSource(strings = {"file", "map", "file,map", "direct", "file sync", "map sync"})
    void shouldHaveALinearizableHistory(String ways) throws IOException {
        List<Path> directories = CLUSTER.workDirectories("history", PROCESSES);
        List<Path> histories = new ArrayList<>();
        List<Command.Running> running = new ArrayList<>();
        for (int process = 1; process <= PROCESSES; process++) {
            Path history = CLUSTER.scratch().resolve("history-" + ways.replaceAll("\\W", "-") + process);
            histories.add(history);
            List<String> command = new ArrayList<>(List.of(
                    NativePrograms.compile("histload"),
                    directories.get(process - 1).resolve("registers").toString(),
                    history.toString(),
                    Integer.toString(process),
                    Long.toString(SEED),
                    Integer.toString(OPERATIONS),
                    Integer.toString(LIMIT_MS),
                    Integer.toString(PAUSE_US)));
            command.addAll(List.of(ways.split(" ")));
            running.add(CLUSTER.commands().start(CLUSTER.scratch(), command.toArray(String[]::new)));
        }
        running.forEach(process -> process.await(LIMIT).expectSuccess());
        assertThat(RegisterChecker.check(HistoryLayout.read(histories), Loss.NONE))
                .as("-Dtessera.seed=%d", SEED)
                .isEmpty();
    }
}
