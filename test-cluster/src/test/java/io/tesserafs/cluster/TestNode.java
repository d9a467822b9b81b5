package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * One daemon of a test cluster, a real process, driven as a user drives it: by {@code ./tessera}. Its state directory is that of a
 * node made by {@code tessera up}.
 */
class TestNode {
    /** {@code up} gives a node three minutes, and then says what is wrong. */
    static final Duration START_LIMIT = Duration.ofSeconds(200);

    /** {@code down} gives a node two minutes, and then says what is wrong. */
    private static final Duration STOP_LIMIT = Duration.ofSeconds(150);

    /** Longer than what a command gives itself, but for work on a whole volume: two minutes. */
    private static final Duration CLI_LIMIT = Duration.ofSeconds(150);

    private static final Duration END_LIMIT = Duration.ofSeconds(30);
    private static final Duration DUMP_LIMIT = Duration.ofSeconds(15);

    private final int number;
    private final Path clusterDirectory;
    private final String poolSize;
    private final int nodeCount;
    private final Command commands;

    TestNode(int number, Path clusterDirectory, String poolSize, int nodeCount, Command commands) {
        this.number = number;
        this.clusterDirectory = clusterDirectory;
        this.poolSize = poolSize;
        this.nodeCount = nodeCount;
        this.commands = commands;
    }

    int number() {
        return number;
    }

    Path directory() {
        return clusterDirectory.resolve("node" + number);
    }

    Path mount() {
        return directory().resolve("mnt");
    }

    Path pool() {
        return directory().resolve("pool");
    }

    /** Starts or heals it, and the other nodes of its cluster; back when all are usable. */
    void start() {
        tryStart().expectSuccess();
    }

    Command.Result tryStart() {
        return tessera(
                START_LIMIT.multipliedBy(nodeCount),
                "up",
                "--state",
                clusterDirectory.toString(),
                "--pool-size",
                poolSize,
                "--nodes",
                Integer.toString(nodeCount));
    }

    /** The orderly end of the cluster. */
    void stop() {
        cli("down").expectSuccess();
    }

    /** SIGKILL; back when the process is gone. */
    void kill() {
        ProcessHandle process = ProcessHandle.of(pid()).orElseThrow();
        process.destroyForcibly();
        try {
            process.onExit().get(END_LIMIT.toMillis(), java.util.concurrent.TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
            throw new AssertionError("the daemon did not die of SIGKILL", e);
        }
    }

    long pid() {
        try {
            String text = Files.readString(directory().resolve("tesserad.pid"));
            return Long.parseLong(text.substring(0, text.indexOf(' ')));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    boolean runs() {
        return Files.exists(directory().resolve("tesserad.pid"))
                && ProcessHandle.of(pid()).map(ProcessHandle::isAlive).orElse(false);
    }

    /** {@code tessera COMMAND ... --state DIR}. */
    Command.Result cli(String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.add("--state");
        all.add(clusterDirectory.toString());
        boolean isDown = all.getFirst().equals("down");
        return tessera(isDown ? STOP_LIMIT.multipliedBy(nodeCount) : CLI_LIMIT, all.toArray(String[]::new));
    }

    private Command.Result tessera(Duration limit, String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(TestDirectories.root().resolve("tessera").toString());
        command.addAll(List.of(arguments));
        return commands.run(limit, clusterDirectory, command.toArray(String[]::new));
    }

    /** Online when it runs, else offline. */
    Command.Result fsck() {
        return runs()
                ? cli("fsck", "--node", Integer.toString(number))
                : cli("fsck", "--node", Integer.toString(number), "--offline");
    }

    /** Fails if anything is wrong. */
    void expectCleanFsck() {
        Command.Result result = fsck();
        assertThat(result.status()).as(() -> "fsck:\n" + result.output()).isZero();
    }

    /** Open file descriptors of the daemon. */
    int openFiles() {
        try (Stream<Path> fds = Files.list(Path.of("/proc", Long.toString(pid()), "fd"))) {
            return (int) fds.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The daemon's own memory, MiB: anonymous, for among that of files is the mapped pool. */
    long ownMemoryMib() {
        try (Stream<String> lines = Files.lines(Path.of("/proc", Long.toString(pid()), "status"))) {
            return lines.filter(line -> line.startsWith("RssAnon"))
                            .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                            .sum()
                    >> 10;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Copies logs, and the stacks of a daemon that still runs, to where {@code .ci/run} prints them from. */
    void collectLogs(Path target) throws IOException, InterruptedException {
        Files.createDirectories(target);
        Path logs = directory().resolve("log");
        if (Files.isDirectory(logs)) {
            try (Stream<Path> files = Files.list(logs)) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    Files.write(target.resolve(file.getFileName().toString()), Files.readAllBytes(file));
                }
            }
        }
        if (runs()) {
            new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "jcmd")
                                    .toString(),
                            Long.toString(pid()),
                            "Thread.print")
                    .redirectErrorStream(true)
                    .redirectOutput(target.resolve("threads.log").toFile())
                    .start()
                    .waitFor(DUMP_LIMIT.toMillis(), java.util.concurrent.TimeUnit.MILLISECONDS);
        }
    }
}
