package io.tesserafs.cluster;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Databases that processes on different nodes use at the same time: locks, mappings and file contents have to agree. */
@Tag("cluster")
class SharedDatabaseTest {
    private static final Duration LIMIT = Duration.ofMinutes(4);
    private static final int PROCESSES = 3;
    private static final int LMDB_TRANSACTIONS = Integer.getInteger("tessera.lmdb.transactions", 150);
    private static final int SQLITE_TRANSACTIONS = Integer.getInteger("tessera.sqlite.transactions", 25);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.ofNodes("databases", "1G").patient();

    @AfterAll
    static void shouldLeaveAConsistentVolume() {
        CLUSTER.expectCleanFsck();
    }

    /** Writers move amounts between accounts and add rows, and each looks whether the sum still holds. */
    @ParameterizedTest
    @ValueSource(strings = {"delete", "truncate", "persist", "wal"})
    void shouldShareASqliteDatabase(String journal) {
        List<Path> directories = CLUSTER.workDirectories("sqlite", PROCESSES);
        CLUSTER.shell(LIMIT, CLUSTER.scratch(), """
                set -- %1$s
                rounds=%3$d
                test "$(sqlite3 "$1/db" 'pragma journal_mode=%2$s')" = %2$s
                sqlite3 "$1/db" 'create table account(id integer primary key, amount int);
                  create table t(id integer primary key, writer int, body blob);
                  insert into account select value, 100 from generate_series(1, 10);'
                writer() {
                  for i in $(seq $rounds); do
                    echo ".timeout 120000"
                    echo "pragma synchronous=full;"
                    echo "begin immediate;"
                    echo "update account set amount = amount - $i where id = 1 + ($1 + $i) %% 10;"
                    echo "update account set amount = amount + $i where id = 1 + ($1 * 3 + $i * 7) %% 10;"
                    echo "insert into t(writer, body) select $1, randomblob(1500) from generate_series(1, 10);"
                    echo "commit;"
                    echo "select 'sum', sum(amount) from account;"
                  done | sqlite3 -bail "$2/db" >"sums-%2$s-$1"
                }
                pids= w=0
                for d; do w=$((w + 1)); writer $w "$d" & pids="$pids $!"; done
                for p in $pids; do wait $p; done
                test "$(sort -u sums-%2$s-*)" = "sum|1000"
                test "$(cat sums-%2$s-* | wc -l)" = $((w * rounds))
                for d; do
                  test "$(sqlite3 "$d/db" 'pragma integrity_check')" = ok
                  test "$(sqlite3 "$d/db" 'select count(*) from t')" = $((w * rounds * 10))
                done
                """.formatted(
                        directories.stream().map(Path::toString).collect(Collectors.joining(" ")),
                        journal,
                        SQLITE_TRANSACTIONS));
    }

    @Test
    void shouldShareAnLmdbEnvironment() {
        String program = NativePrograms.compile("lmdbshare", "-llmdb");
        List<Path> directories = CLUSTER.workDirectories("lmdb", PROCESSES);
        List<Command.Running> running = new ArrayList<>();
        for (int process = 0; process < PROCESSES; process++) {
            running.add(CLUSTER.commands()
                    .start(
                            CLUSTER.scratch(),
                            program,
                            directories.get(process).toString(),
                            "run",
                            Integer.toString(process),
                            Integer.toString(LMDB_TRANSACTIONS)));
        }
        running.forEach(process -> process.await(LIMIT).expectSuccess());
        for (Path directory : directories) {
            CLUSTER.run(
                    LIMIT,
                    CLUSTER.scratch(),
                    program,
                    directory.toString(),
                    "verify",
                    Integer.toString(PROCESSES * LMDB_TRANSACTIONS));
        }
    }
}
