package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.cluster.history.AppendChecker;
import io.tesserafs.cluster.history.AppendLayout.Journal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Appends of many processes to one file: none lost, none torn, each writer's in its order. */
@Tag("cluster")
class AppendTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final int RECORDS = Integer.getInteger("tessera.append.records", 1000);
    private static final int WRITERS = 4;
    private static final int LIMIT_MS = 60_000;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.ofNodes("append", "1G").patient();

    @ParameterizedTest
    @ValueSource(strings = {"", "sync"})
    void shouldKeepEveryRecordWholeAndInOrder(String option) throws IOException {
        List<Path> directories = CLUSTER.workDirectories("append", WRITERS);
        List<Path> journals = new ArrayList<>();
        List<Command.Running> running = new ArrayList<>();
        for (int writer = 1; writer <= WRITERS; writer++) {
            Path journal = CLUSTER.scratch().resolve("journal" + option + writer);
            journals.add(journal);
            running.add(CLUSTER.commands()
                    .start(
                            CLUSTER.scratch(),
                            NativePrograms.compile("appender"),
                            directories.get(writer - 1).resolve("log").toString(),
                            journal.toString(),
                            Integer.toString(writer),
                            Integer.toString(RECORDS),
                            Integer.toString(LIMIT_MS),
                            option));
        }
        running.forEach(process -> process.await(LIMIT).expectSuccess());
        List<Journal> noted = new ArrayList<>();
        for (Path journal : journals) {
            noted.add(Journal.read(journal));
        }
        assertThat(noted).allSatisfy(journal -> assertThat(journal.confirmed()).isPositive());
        for (Path directory : directories.stream().distinct().toList()) {
            assertThat(AppendChecker.check(Files.readAllBytes(directory.resolve("log")), noted, false))
                    .isEmpty();
        }
    }
}
