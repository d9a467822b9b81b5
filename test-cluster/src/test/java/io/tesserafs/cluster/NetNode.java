package io.tesserafs.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * A node with a network of its own: its daemon is a child of the test. So that nobody relies on clocks that agree, its monotonic
 * clock is far from those of the others.
 */
final class NetNode extends TestNode {
    private static final int FABRIC_PORT = 7400;
    private static final Duration SHUTDOWN_TIMEOUT = Duration.ofSeconds(60);
    /** After its timeout a daemon ends by itself, and its log says why. */
    private static final Duration STOP_LIMIT = SHUTDOWN_TIMEOUT.plusSeconds(30);

    private static final Duration QUICK = Duration.ofSeconds(15);
    /** To reach it is to abort the whole cluster, and a machine that is busy may take long to start a program. */
    private static final Duration ASK_LIMIT = Duration.ofSeconds(90);

    private static final long CLOCK_OFFSET_S = 1_000_000;
    private static final long POLL_NS = Duration.ofMillis(20).toNanos();

    private final NetLinks.Place place;
    private final Path clusterDirectory;
    private final Command commands;
    private Optional<Command.Running> daemon = Optional.empty();

    NetNode(int number, NetLinks.Place place, Path clusterDirectory, String poolSize, Command commands) {
        super(number, clusterDirectory, poolSize, 1, commands);
        this.place = place;
        this.clusterDirectory = clusterDirectory;
        this.commands = commands;
    }

    /** Its end of the cable, to which the faults of the network happen. */
    NetLinks.Place link() {
        return place;
    }

    void writeConfig(String zooKeeper, String poolSize, TestCluster.Times times) {
        try {
            Files.createDirectories(directory());
            Files.writeString(directory().resolve("node.yaml"), """
                    node: %d
                    state: %s
                    pool:
                      size: %s
                    coordination:
                      connect: %s
                    %sfabric:
                      listen: %s:%d
                      secretFile: %s
                      tcpOnly: true
                    mounts:
                      - volume: main
                        path: mnt
                    log:
                      file: log/tesserad.log
                    shutdownTimeout: %ds
                    """.formatted(
                            number(),
                            directory(),
                            poolSize,
                            zooKeeper,
                            times.yaml(),
                            place.address(),
                            FABRIC_PORT,
                            clusterDirectory.resolve("cluster.secret"),
                            SHUTDOWN_TIMEOUT.toSeconds()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Starts the daemon, and does not wait until it is ready. The mount that a dead one left is taken away first. */
    void launch() {
        if (runs()) {
            return;
        }
        removeMount();
        daemon = Optional.of(commands.start(
                clusterDirectory,
                place.inside(List.of(
                                "unshare",
                                "--time",
                                "--monotonic",
                                Long.toString(number() * CLOCK_OFFSET_S),
                                "--",
                                TestDirectories.root().resolve("tessera").toString(),
                                "node",
                                "--config",
                                directory().resolve("node.yaml").toString()))
                        .toArray(String[]::new)));
    }

    private void removeMount() {
        Mounts.abortBelow(mount());
        for (Mounts.Mount mount : Mounts.below(mount())) {
            commands.run(QUICK, clusterDirectory, "umount", "-l", mount.point().toString())
                    .expectSuccess();
        }
    }

    /** Back when the mount can be used. */
    @Override
    Command.Result tryStart() {
        launch();
        return awaitReady();
    }

    Command.Result awaitReady() {
        long deadline = System.nanoTime() + START_LIMIT.toNanos();
        while (System.nanoTime() < deadline) {
            if (!runs()) {
                return daemon.orElseThrow().await(QUICK);
            }
            if (!Mounts.below(mount()).isEmpty()) {
                Command.Result status = status();
                if (status.status() == 0) {
                    return status;
                }
            }
            LockSupport.parkNanos(POLL_NS);
        }
        throw new AssertionError(
                "node " + number() + " is not ready after " + START_LIMIT.toSeconds() + " s: " + status().output());
    }

    private Command.Result status() {
        return ask("status");
    }

    /** {@code tessera COMMAND ...}, of this node. */
    Command.Result ask(String... command) {
        List<String> all = new ArrayList<>();
        all.add(TestDirectories.root().resolve("tessera").toString());
        all.addAll(List.of(command));
        all.addAll(List.of("--socket", directory().resolve("admin.sock").toString()));
        return commands.run(ASK_LIMIT, clusterDirectory, all.toArray(String[]::new));
    }

    @Override
    boolean runs() {
        return daemon.map(Command.Running::runs).orElse(false);
    }

    @Override
    long pid() {
        return daemon.orElseThrow().pid();
    }

    @Override
    void kill() {
        daemon.orElseThrow().end();
    }

    /** SIGSTOP: it lives, and does nothing. */
    void pause() {
        signal("-STOP");
    }

    void resume() {
        signal("-CONT");
    }

    private void signal(String signal) {
        commands.run(QUICK, clusterDirectory, "kill", signal, Long.toString(pid()))
                .expectSuccess();
    }

    /** The orderly end of this node. */
    @Override
    void stop() {
        if (runs()) {
            resume();
            signal("-TERM");
            daemon.orElseThrow().await(STOP_LIMIT).expectSuccess();
        }
    }
}
