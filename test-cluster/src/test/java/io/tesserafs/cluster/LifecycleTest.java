package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Stopping, starting, dying and healing, seen from outside. */
@Tag("cluster")
class LifecycleTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.oneNode("lifecycle", "1G").patient();

    @BeforeEach
    void up() {
        CLUSTER.node().start();
    }

    @Test
    void shouldKeepEverythingOverDownAndUp() {
        Path directory = CLUSTER.workDirectory("data");
        String sums = "find . -type f -print0 | sort -z | xargs -0 sha256sum; "
                + "find . ! -path . -printf '%p %y %m %U %G %s %T@ %n %l\\n' | sort; getfattr -dR . 2>/dev/null";
        CLUSTER.shell(LIMIT, directory, """
                cp -r /usr/include/linux headers
                ln -s headers link; ln headers/fuse.h hard; mkfifo pipe; chmod 4711 hard; chown 5:6 link -h
                setfattr -n user.colour -v blue headers/fs.h
                truncate -s 10G sparse; echo end >>sparse; head -c 5000000 /dev/urandom >five
                touch -d '2001-02-03 04:05:06.789012345' five
                rm sparse; truncate -s 300M sparse
                """);
        String before = CLUSTER.shell(LIMIT, directory, sums).output();
        CLUSTER.node().stop();
        CLUSTER.node().expectCleanFsck();
        CLUSTER.node().start();
        assertThat(CLUSTER.shell(LIMIT, directory, sums).output()).isEqualTo(before);
        CLUSTER.node().expectCleanFsck();
    }

    @Test
    void shouldDoNothingWhenUpAlready() {
        long pid = CLUSTER.node().pid();
        CLUSTER.node().start();
        assertThat(CLUSTER.node().pid()).isEqualTo(pid);
    }

    @Test
    void shouldGiveErrorsAndNotHangWhenTheDaemonDied() {
        Path directory = CLUSTER.workDirectory("dead");
        CLUSTER.shell(LIMIT, directory, "echo kept >f && sync f");
        Command.Running reader = CLUSTER.commands()
                .start(
                        CLUSTER.scratch(),
                        "bash",
                        "-c",
                        "while stat " + directory + "/f >/dev/null; do :; done; exit 7");
        CLUSTER.node().kill();
        assertThat(reader.await(LIMIT).status()).isEqualTo(7);
        CLUSTER.commands()
                .run(LIMIT, CLUSTER.scratch(), "ls", CLUSTER.node().mount().toString())
                .expectFailure();
        assertThat(CLUSTER.node().cli("status").status()).isEqualTo(3);
        CLUSTER.node().start();
        assertThat(CLUSTER.run(LIMIT, CLUSTER.scratch(), "cat", directory + "/f")
                        .output())
                .isEqualTo("kept\n");
        CLUSTER.node().expectCleanFsck();
    }

    @Test
    void shouldNameTheProcessesThatKeepAMountBusy() {
        Path directory = CLUSTER.workDirectory("busy");
        Command.Running busy = CLUSTER.commands()
                .start(CLUSTER.scratch(), "bash", "-c", "exec 5>" + directory + "/open; echo $$; exec sleep 1000");
        String becameSleep = "[ \"$(cat /proc/" + busy.pid() + "/comm)\" = sleep ]";
        CLUSTER.shell(LIMIT, CLUSTER.scratch(), "until " + becameSleep + "; do sleep 0.05; done");
        Command.Result down = CLUSTER.node().cli("down").expectFailure();
        assertThat(down.output()).containsPattern("\\b" + busy.pid() + "\\b");
        assertThat(CLUSTER.node().runs()).isTrue();
        CLUSTER.node().cli("down", "--force").expectSuccess();
        assertThat(CLUSTER.node().runs()).isFalse();
        assertThat(busy.runs()).isTrue();
        busy.end();
        CLUSTER.node().start();
        CLUSTER.node().expectCleanFsck();
    }
}
