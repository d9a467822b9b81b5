package io.tesserafs.node.cli;

import io.tesserafs.node.daemon.NodeDaemon;
import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Starts a daemon that outlives this command: a session of its own, no terminal, working directory "/". */
final class DaemonLauncher {
    private static final String OPTIONS = "jvm.options";

    private DaemonLauncher() {}

    /** The process is running when this returns; whether it gets ready is another question. */
    static Process launch(NodeLayout layout) throws IOException {
        Files.createDirectories(layout.logFile().getParent());
        Path console = layout.consoleFile();
        Process process = new ProcessBuilder(command(layout))
                .directory(Path.of("/").toFile())
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(console.toFile())
                .redirectErrorStream(true)
                .start();
        return process;
    }

    private static List<String> command(NodeLayout layout) {
        List<String> command = new ArrayList<>(List.of("setsid"));
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(jvmOptions());
        @Nullable String home = System.getProperty("tessera.home");
        if (home != null) {
            Path cache = Path.of(home, "daemon.aot");
            if (Files.exists(cache)) {
                command.add("-XX:AOTCache=" + cache);
            }
            command.add("-Dtessera.home=" + home);
        }
        command.add("-XX:ErrorFile=" + layout.logFile().resolveSibling("crash-%p.log"));
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(Main.class.getName());
        command.add("node");
        command.add("--config");
        command.add(layout.config().toString());
        return command;
    }

    /** One option per line, the same file that ./tessera passes to a daemon in the foreground. */
    static List<String> jvmOptions() {
        try (@Nullable InputStream stream = NodeDaemon.class.getResourceAsStream(OPTIONS)) {
            if (stream == null) {
                throw new IllegalStateException(OPTIONS + " is missing from this build");
            }
            return new String(stream.readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(line -> !line.isBlank())
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
