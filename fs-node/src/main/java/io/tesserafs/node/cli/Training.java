package io.tesserafs.node.cli;

import io.tesserafs.coherence.membership.EmbeddedZooKeeper;
import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfig.PoolConfig;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.config.NodeConfigWriter;
import io.tesserafs.node.config.Size;
import io.tesserafs.node.daemon.ClusterSecret;
import io.tesserafs.node.daemon.DaemonLogging;
import io.tesserafs.node.daemon.NodeDaemon;
import io.tesserafs.node.daemon.NodeLayout;
import io.tesserafs.node.daemon.StartException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What the JVM watches to make its ahead-of-time caches: typical commands, and the life of a small daemon in a temporary directory. Run
 * by scripts/lib.sh after a build.
 */
final class Training {
    private static final String[][] COMMANDS = {
        {"--help"},
        {"up", "--help"},
        {"--version"},
        {"status"},
        {"status", "--json"},
        {"volume", "list"},
        {"stat", "/"},
        {"doctor"},
        {"down"},
        {"completion"}
    };

    private Training() {}

    public static void main(String[] args) throws IOException, ConfigException, StartException {
        Path state = Files.createTempDirectory("tessera-training");
        NodeLayout layout = NodeLayout.of(state, 1);
        try {
            Files.createDirectories(layout.mount());
            if (args.length == 1 && args[0].equals("daemon")) {
                configure(layout, 0, true);
                live(layout);
            } else {
                commands(layout, state);
            }
        } finally {
            destroy(layout);
            Destroyer.deleteIfEmpty(state);
        }
    }

    private static void destroy(NodeLayout layout) throws IOException {
        try {
            new Destroyer(layout).destroy();
        } catch (CliException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private static void configure(NodeLayout layout, int zooKeeperPort, boolean runsZooKeeper) throws IOException {
        PoolConfig pool = new PoolConfig(layout.pool(), new Size(PoolConfig.MIN_BYTES));
        NodeConfigWriter.write(
                layout.config(),
                1,
                layout.dir(),
                pool,
                layout.mount(),
                new NodeConfigWriter.Local(zooKeeperPort, runsZooKeeper, layout.secret()));
    }

    /** Beside a ZooKeeper, which 'doctor' asks. */
    private static void commands(NodeLayout layout, Path state) throws IOException {
        Files.write(layout.secret(), new byte[ClusterSecret.BYTES]);
        try (EmbeddedZooKeeper server =
                EmbeddedZooKeeper.start(layout.dir().resolve("zookeeper"), 0, Training::stopped)) {
            configure(layout, server.port(), false);
            for (String[] command : COMMANDS) {
                PrintWriter ignored = new PrintWriter(new StringWriter());
                String[] words = new String[command.length + 2];
                System.arraycopy(command, 0, words, 0, command.length);
                words[command.length] = "--state";
                words[command.length + 1] = state.toString();
                Main.run(ignored, ignored, words);
            }
        }
    }

    private static void stopped() {
        throw new IllegalStateException("the ZooKeeper of the training stopped");
    }

    /** Each of the usual operations once, through the kernel. */
    private static void live(NodeLayout layout) throws IOException, ConfigException, StartException {
        var config = NodeConfigReader.read(layout.config());
        DaemonLogging.configure(config.log());
        try (NodeDaemon daemon = new NodeDaemon(config)) {
            daemon.start();
            Path directory = Files.createDirectory(layout.mount().resolve("d"));
            Path file = directory.resolve("f");
            Files.write(file, new byte[1 << 20]);
            Files.readAllBytes(file);
            Files.createLink(directory.resolve("l"), file);
            Files.createSymbolicLink(directory.resolve("s"), file);
            Files.move(file, directory.resolve("g"));
            try (var entries = Files.list(directory)) {
                for (Path entry : entries.toList()) {
                    Files.delete(entry);
                }
            }
            Files.delete(directory);
        }
    }
}
