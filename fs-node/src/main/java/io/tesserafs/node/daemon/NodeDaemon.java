package io.tesserafs.node.daemon;

import io.tesserafs.node.admin.AdminServer;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.config.NodeConfig.MountConfig;
import io.tesserafs.node.metrics.NodeMetrics;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The daemon of one node.
 *
 * <p>Started in this order, stopped in the reverse: lock of the state directory, pid file, {@link NodeServices} (pool and brick,
 * coordination, membership, volumes), mounts, admin socket. Whatever fails on the way up, all that was taken is released before
 * {@link #start} throws. The state only moves forward; a stopped daemon cannot be started again.
 */
public final class NodeDaemon implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NodeDaemon.class);
    private static final int FAILED = 1;

    private final NodeConfig config;
    private final Resources resources = new Resources();
    private final CountDownLatch stopRequested = new CountDownLatch(1);
    private final CountDownLatch stopped = new CountDownLatch(1);
    private final long startedAtNs = System.nanoTime();

    private volatile DaemonState state = DaemonState.NEW;
    private volatile int exitStatus;

    public NodeDaemon(NodeConfig config) {
        this.config = config;
    }

    /**
     * The whole life of a daemon process: start, run until SIGTERM or the shutdown command, stop.
     *
     * @return the exit status
     */
    public static int runToEnd(NodeConfig config) throws StartException, InterruptedException {
        NodeDaemon daemon = new NodeDaemon(config);
        Runtime.getRuntime().addShutdownHook(new Thread(daemon::stopOnSignal, "shutdown"));
        try (daemon) {
            daemon.start();
            daemon.stopRequested.await();
        }
        return daemon.exitStatus;
    }

    /** In the shutdown hook: exit status 0 after an orderly stop, 1 if it took too long. */
    private void stopOnSignal() {
        if (state == DaemonState.STOPPED) {
            return;
        }
        stopRequested.countDown();
        try {
            boolean inTime = stopped.await(config.shutdownTimeout().toMillis(), TimeUnit.MILLISECONDS);
            if (!inTime) {
                LOG.error(
                        "not stopped after {} s; ending anyway",
                        config.shutdownTimeout().toSeconds());
            }
            Runtime.getRuntime().halt(inTime ? exitStatus : FAILED);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Returns when the mounts can be used. */
    public void start() throws StartException {
        become(DaemonState.STARTING);
        LOG.info("tesserad {} starts: node {}, state {}", BuildInfo.version(), config.nodeId(), config.stateDir());
        try {
            Files.createDirectories(config.stateDir());
            NodeLayout layout = new NodeLayout(config.stateDir());
            resources.add("lock", lock(layout));
            DaemonProcess.current().write(layout.pidFile());
            resources.add("pid file", () -> Files.deleteIfExists(layout.pidFile()));
            NodeMetrics metrics = resources.add("metrics", new NodeMetrics());
            NodeServices services = resources.add("services", new NodeServices(config, metrics));
            services.start(this::fail);
            AdminCommands commands = new AdminCommands(this, services, metrics);
            services.fabric().admin().serve(commands.peerHandlers());
            resources.add("admin socket", AdminServer.start(config.admin().socket(), commands.handlers()));
            become(DaemonState.READY);
            LOG.info("ready after {} ms", uptime().toMillis());
            ServiceManager.ready(
                    config.mounts().stream().map(MountConfig::path).findFirst().orElse(config.stateDir()));
        } catch (StartException e) {
            LOG.error("cannot start: {}", e.getMessage(), e);
            close();
            throw e;
        } catch (IOException | RuntimeException e) {
            LOG.error("cannot start", e);
            close();
            throw new StartException("the daemon cannot start: " + e.getMessage(), e);
        }
    }

    /** Held for as long as the channel is open: one process at a time works on a state directory. */
    static FileChannel lock(NodeLayout layout) throws IOException, StartException {
        FileChannel channel = FileChannel.open(layout.lock(), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        @Nullable FileLock lock = channel.tryLock();
        if (lock == null) {
            channel.close();
            String who = DaemonProcess.find(layout.pidFile())
                    .map(process -> " (pid " + process.pid() + ")")
                    .orElse("");
            throw new StartException("another daemon" + who + " runs on " + layout.dir());
        }
        return channel;
    }

    /** Asks the thread in {@link #runToEnd} to stop the daemon; returns at once. */
    void requestStop() {
        stopRequested.countDown();
    }

    /** Something this daemon cannot do without is gone: it stops, and says so by its exit status. */
    private void fail(String what, @Nullable Exception cause) {
        LOG.error("stopping: {}", what, cause);
        exitStatus = FAILED;
        requestStop();
    }

    DaemonState state() {
        return state;
    }

    NodeConfig config() {
        return config;
    }

    Duration uptime() {
        return Duration.ofNanos(System.nanoTime() - startedAtNs);
    }

    private synchronized void become(DaemonState next) {
        if (!state.mayBecome(next)) {
            throw new IllegalStateException("a daemon cannot go from " + state + " to " + next);
        }
        state = next;
    }

    /** Idempotent. */
    @Override
    public void close() {
        synchronized (this) {
            if (state == DaemonState.STOPPING || state == DaemonState.STOPPED || state == DaemonState.NEW) {
                return;
            }
            become(DaemonState.STOPPING);
        }
        LOG.info("stopping");
        ServiceManager.stopping();
        resources.close();
        become(DaemonState.STOPPED);
        LOG.info("stopped");
        stopped.countDown();
    }
}
