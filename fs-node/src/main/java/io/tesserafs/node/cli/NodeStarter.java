package io.tesserafs.node.cli;

import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.config.NodeConfig.PoolConfig;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.config.NodeConfigWriter;
import io.tesserafs.node.config.Size;
import io.tesserafs.node.daemon.DaemonProcess;
import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Brings one node of a local cluster from whatever state it is in to "ready". */
final class NodeStarter {
    /** Opening replays the log and may wait for a ZooKeeper session to end; beyond this something is wrong. */
    private static final Duration START_LIMIT = Duration.ofMinutes(3);

    private static final Duration PING = Duration.ofSeconds(5);

    private static final long POLL_MS = 20;

    private static final Size DEFAULT_POOL = new Size(4L << 30);

    /** Left free on the disk beside the pool, for coordination data and logs. */
    private static final long SPARE_BYTES = 64L << 20;

    private final int node;
    private final NodeLayout layout;
    private final NodeLayout first;
    private final @Nullable Size poolSize;
    private final @Nullable Path pool;
    private final PrintWriter err;
    private boolean configIsNew;

    /** @param first of the cluster: it runs the ZooKeeper, and has the secret */
    NodeStarter(
            int node,
            NodeLayout layout,
            NodeLayout first,
            @Nullable Size poolSize,
            @Nullable Path pool,
            PrintWriter err) {
        this.node = node;
        this.first = first;
        this.layout = layout;
        this.poolSize = poolSize;
        this.pool = pool == null ? null : pool.toAbsolutePath().normalize();
        this.err = err;
    }

    Path mountPoint() {
        return layout.mount();
    }

    /** False if it was ready already. Two of these at the same time: one starts the node, the other waits for it. */
    boolean start() throws IOException, CliException, InterruptedException {
        Files.createDirectories(layout.dir());
        try (FileChannel channel = FileChannel.open(
                        layout.dir().resolve("up.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            return lock.isValid() && startLocked();
        }
    }

    private boolean startLocked() throws IOException, CliException, InterruptedException {
        Optional<DaemonProcess> running = DaemonProcess.find(layout.pidFile());
        if (running.isPresent()) {
            boolean ready = awaitReadyOrEnd(running.get());
            if (ready) {
                warnOfOtherPool(configuration());
                return false;
            }
        }
        NodeConfig config = prepareConfig();
        DeadMount.heal(layout.mount(), err);
        Files.createDirectories(layout.mount());
        checkMountPointEmpty();
        checkRoom(config);
        Process process = DaemonLauncher.launch(layout);
        awaitReady(process);
        return true;
    }

    private NodeConfig prepareConfig() throws IOException, CliException {
        if (!Files.exists(layout.config())) {
            configIsNew = true;
            Path file = pool == null ? layout.pool() : pool;
            Size size = poolSize == null ? DEFAULT_POOL : poolSize;
            try {
                NodeConfigWriter.write(
                        layout.config(), node, layout.dir(), new PoolConfig(file, size), layout.mount(), cluster());
            } catch (IllegalArgumentException e) {
                throw new CliException(String.valueOf(e.getMessage()), e);
            }
        }
        NodeConfig config = configuration();
        warnOfOtherPool(config);
        return config;
    }

    private NodeConfigWriter.Local cluster() throws IOException, CliException {
        if (layout.equals(first)) {
            try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                return new NodeConfigWriter.Local(free.getLocalPort(), true, first.secret());
            }
        }
        try {
            int port = NodeConfigReader.read(first.config()).coordination().port();
            if (port == 0) {
                throw new CliException("node1 was made for a cluster of one: give it a fixed coordination.port in "
                        + first.config() + " and start it again");
            }
            return new NodeConfigWriter.Local(port, false, first.secret());
        } catch (ConfigException e) {
            throw new CliException(String.valueOf(e.getMessage()), e);
        }
    }

    private NodeConfig configuration() throws CliException {
        try {
            return NodeConfigReader.read(layout.config());
        } catch (ConfigException e) {
            throw new CliException(String.valueOf(e.getMessage()), e);
        }
    }

    private void warnOfOtherPool(NodeConfig config) throws CliException {
        if (pool != null && !pool.equals(config.pool().path())) {
            throw new CliException("node" + node + " has its pool at "
                    + config.pool().path() + ", not at " + pool + "; see " + layout.config());
        }
        if (poolSize != null && !poolSize.equals(config.pool().size())) {
            err.println("tessera: node" + node + " keeps its pool of "
                    + config.pool().size() + "; --pool-size " + poolSize + " is for new nodes");
        }
    }

    private void checkMountPointEmpty() throws IOException {
        try (var entries = Files.list(layout.mount())) {
            if (entries.findAny().isPresent()) {
                err.println("tessera: warning: " + layout.mount() + " is not empty; the mount will hide what is in it");
            }
        }
    }

    /** Before the daemon starts to write gigabytes: say what is missing, and what to do. */
    private void checkRoom(NodeConfig config) throws IOException, CliException {
        Path file = config.pool().path();
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Path directory = file.getParent();
        if (directory == null || !Files.isDirectory(directory)) {
            throw new CliException("the directory of the pool does not exist: " + directory);
        }
        long room = Files.getFileStore(directory).getUsableSpace();
        if (room < config.pool().size().bytes() + SPARE_BYTES) {
            if (configIsNew) {
                Files.delete(layout.config());
            }
            throw new CliException("a pool of " + config.pool().size() + " does not fit: " + directory + " has "
                    + Size.display(room) + " free. Choose another size (--pool-size) or place (--pool or --state)");
        }
    }

    private void awaitReady(Process process) throws IOException, CliException, InterruptedException {
        long deadline = System.nanoTime() + START_LIMIT.toNanos();
        while (System.nanoTime() < deadline) {
            if (!process.isAlive()) {
                throw new CliException("node" + node + " did not start (exit status " + process.exitValue() + "):\n"
                        + LogTail.of(layout) + "\nMore in " + layout.logFile());
            }
            if (ready()) {
                return;
            }
            Thread.sleep(POLL_MS);
        }
        throw new CliException("node" + node + " is not ready after " + START_LIMIT.toSeconds() + " s:\n"
                + LogTail.of(layout) + "\nMore in " + layout.logFile());
    }

    /** True when ready; false when the process has ended, because it was on its way down or failed. */
    private boolean awaitReadyOrEnd(DaemonProcess process) throws CliException, InterruptedException {
        long deadline = System.nanoTime() + START_LIMIT.toNanos();
        while (System.nanoTime() < deadline) {
            if (ready()) {
                return true;
            }
            if (!process.runs()) {
                return false;
            }
            Thread.sleep(POLL_MS);
        }
        throw new CliException("node" + node + " (pid " + process.pid() + ") runs but does not get ready; look at "
                + layout.logFile() + ", or 'tessera down --force'");
    }

    private boolean ready() {
        try (AdminClient client = AdminClient.connect(layout.adminSocket())) {
            return client.call("ping", AdminClient.args(), PING)
                    .path("state")
                    .asText()
                    .equals("ready");
        } catch (IOException | AdminException e) {
            return false; // Not listening yet, or not any more; the caller watches the process.
        }
    }
}
