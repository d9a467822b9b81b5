package io.tesserafs.node.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
    @TempDir
    Path dir;

    final StringWriter out = new StringWriter();
    final StringWriter err = new StringWriter();

    private int run(String... args) {
        return Main.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
    }

    @Test
    void shouldExplainItself() {
        assertThat(run("--help")).isZero();
        assertThat(out.toString()).contains("tessera up").contains("volume").contains("fsck");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "up",
                "down",
                "status",
                "mount",
                "umount",
                "volume",
                "volume create",
                "volume list",
                "volume owner",
                "volume owner move",
                "volume delete",
                "brick",
                "brick list",
                "stat",
                "fsck",
                "log",
                "log dump",
                "node",
                "node list",
                "token",
                "token list",
                "token recall",
                "session",
                "session list",
                "session evict",
                "doctor",
                "completion"
            })
    void shouldExplainEveryCommand(String command) {
        String[] words = (command + " --help").split(" ", -1);
        assertThat(run(words)).isZero();
        assertThat(out.toString()).startsWith("Usage: tessera " + command);
        assertThat(err.toString()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "frob",
                "up --frob",
                "status surplus",
                "volume",
                "volume create",
                "stat",
                "node",
                "node --frob",
                "node list surplus",
                "token",
                "token recall",
                "session",
                "volume owner move",
                "session evict",
                "session evict 2",
                "session evict x --yes",
                "up --nodes x"
            })
    void shouldSayInOneLineWhatIsWrongWithTheUsage(String command) {
        assertThat(run(command.isEmpty() ? new String[0] : command.split(" ", -1)))
                .isEqualTo(Main.USAGE);
        assertThat(err.toString()).startsWith("tessera: ").contains("--help'").doesNotContain("\tat ");
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void shouldRefuseAPoolThatDoesNotFitAndLeaveNothingHalfMade() {
        assertThat(run("up", "--pool-size", "900000T", "--state", dir.toString()))
                .isEqualTo(Main.FAILED);
        assertThat(err.toString()).contains("does not fit").contains("--pool-size");
        assertThat(dir.resolve("node1/node.yaml")).doesNotExist();
        assertThat(dir.resolve("node1/pool")).doesNotExist();
    }

    @Test
    void shouldRefuseNonsenseAsPoolSize() {
        assertThat(run("up", "--pool-size", "many", "--state", dir.toString())).isEqualTo(Main.USAGE);
        assertThat(err.toString()).contains("'many' is not a size");
        assertThat(run("up", "--pool-size", "1M", "--state", dir.toString())).isEqualTo(Main.FAILED);
        assertThat(err.toString()).contains("too small");
    }

    @Test
    void shouldSayThatNoDaemonAnswers() {
        assertThat(run("volume", "list", "--state", dir.toString())).isEqualTo(Main.FAILED);
        assertThat(err.toString())
                .startsWith("tessera: no daemon answers at ")
                .contains("'tessera up'")
                .hasLineCount(1);
    }

    @Test
    void shouldPrintStackTracesOnlyWhenAsked() {
        run("--debug", "volume", "list", "--state", dir.toString());
        assertThat(err.toString()).contains("\tat ").contains("tessera: no daemon answers");
    }

    @Test
    void shouldReportAStoppedClusterByStatusThree() throws Exception {
        assertThat(run("status", "--state", dir.toString())).isEqualTo(Main.NOT_RUNNING);
        Files.createDirectories(dir.resolve("node1"));
        Files.writeString(dir.resolve("node1/node.yaml"), "node: 1\nstate: " + dir.resolve("node1") + "\n");
        assertThat(run("status", "--json", "--state", dir.toString())).isEqualTo(Main.NOT_RUNNING);
        assertThat(out.toString()).contains("\"state\" : \"stopped\"");
    }

    @Test
    void shouldHaveNothingToStopWhereNothingRuns() {
        assertThat(run("down", "--state", dir.toString())).isZero();
        assertThat(out.toString()).startsWith("Nothing to stop in ");
    }

    @Test
    void shouldCheckConfigurationFiles() throws Exception {
        Path file = dir.resolve("bad.yaml");
        Files.writeString(file, "node: 1\nstate: /x\nmount: []\n");
        assertThat(run("node", "--check", "--config", file.toString())).isEqualTo(Main.FAILED);
        assertThat(err.toString())
                .startsWith("tessera: " + file + ":3: unknown key 'mount'")
                .hasLineCount(1);
        Files.writeString(file, "node: 1\nstate: /x\n");
        assertThat(run("node", "--check", "--config", file.toString())).isZero();
        assertThat(run("node", "--config", dir.resolve("none").toString())).isEqualTo(Main.FAILED);
        assertThat(err.toString()).contains("no such file");
    }

    @Test
    void shouldRefuseAVolumeNameBeforeItAsksTheDaemon() {
        assertThat(run("volume", "create", "../x", "--state", dir.toString())).isEqualTo(Main.FAILED);
        assertThat(err.toString()).contains("is not a volume name");
    }

    @Test
    void shouldRefuseToStatOutsideAMount() {
        assertThat(run("stat", dir.toString())).isEqualTo(Main.FAILED);
        assertThat(err.toString()).contains("is not in a TesseraFS mount");
    }

    @Test
    void shouldDestroyOnlyItsOwn() throws Exception {
        Path node = Files.createDirectories(dir.resolve("node1/log")).getParent();
        Path pool = dir.resolve("elsewhere.pool");
        Files.writeString(pool, "");
        Files.writeString(dir.resolve("precious"), "");
        Files.createSymbolicLink(node.resolve("link"), dir.resolve("precious"));
        Files.writeString(node.resolve("node.yaml"), "node: 1\nstate: " + node + "\npool: {path: " + pool + "}\n");
        assertThat(run("down", "--destroy", "--state", dir.toString())).isZero();
        assertThat(node).doesNotExist();
        assertThat(pool).doesNotExist();
        assertThat(dir.resolve("precious")).exists();
    }

    @Test
    void shouldGenerateCompletion() {
        assertThat(run("completion")).isZero();
        assertThat(out.toString())
                .startsWith("#!/usr/bin/env bash")
                .contains("complete -F")
                .contains("--pool-size")
                .contains("function _picocli_tessera_token_recall")
                .contains("function _picocli_tessera_session_evict")
                .contains("function _picocli_tessera_node_list");
    }
}
