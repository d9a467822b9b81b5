package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfig.MountConfig;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.daemon.DaemonProcess;
import io.tesserafs.node.daemon.NodeLayout;
import io.tesserafs.node.host.MountTable;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Stops one node in steps that are each bounded in time: ask the daemon (which unmounts, flushes and ends); then SIGTERM; then
 * abort its FUSE connections and SIGKILL; then detach what is still mounted. Everything acknowledged is in the log, so even the
 * last step loses nothing that was promised.
 */
final class NodeStopper {
    /** Flushing a full page cache to a slow disk takes a while; nothing else does. */
    private static final Duration ASK = Duration.ofSeconds(60);

    private static final Duration END = Duration.ofSeconds(45);
    private static final Duration TERM = Duration.ofSeconds(10);
    private static final Duration KILL = Duration.ofSeconds(10);
    private static final long POLL_MS = 20;

    private final NodeLayout node;
    private final boolean force;
    private final PrintWriter err;

    NodeStopper(NodeLayout node, boolean force, PrintWriter err) {
        this.node = node;
        this.force = force;
        this.err = err;
    }

    /** False if there was nothing to stop. */
    boolean stop() throws IOException, CliException, InterruptedException {
        Set<Path> points = mountPoints();
        Optional<DaemonProcess> running = DaemonProcess.find(node.pidFile());
        if (running.isPresent()) {
            stop(running.get(), points);
        }
        boolean stale = false;
        for (Path point : points) {
            Optional<MountTable.Mount> mount = MountTable.read().at(point);
            if (mount.isPresent() && mount.get().isTessera()) {
                stale = true;
                Unmounter.abort(mount.get());
                Unmounter.detach(point);
            }
        }
        return running.isPresent() || stale;
    }

    private void stop(DaemonProcess daemon, Set<Path> points) throws IOException, CliException, InterruptedException {
        ObjectNode args = AdminClient.args().put("force", force);
        try (AdminClient client = AdminClient.connect(node.adminSocket())) {
            client.call("shutdown", args, ASK);
            if (awaitEnd(daemon, END)) {
                return;
            }
            err.println("tessera: the daemon (pid " + daemon.pid() + ") takes too long to stop; ending it");
        } catch (AdminException e) {
            if (e.code() == Code.BUSY) {
                throw busy(points, e);
            }
            err.println("tessera: the daemon (pid " + daemon.pid() + ") refuses to stop (" + e.getMessage()
                    + "); ending it");
        } catch (IOException e) {
            if (awaitEnd(daemon, Duration.ofSeconds(1))) {
                return;
            }
            err.println("tessera: the daemon (pid " + daemon.pid() + ") does not answer (" + e.getMessage()
                    + "); ending it");
        }
        end(daemon, points);
    }

    private void end(DaemonProcess daemon, Set<Path> points) throws IOException, CliException, InterruptedException {
        daemon.end(false);
        if (awaitEnd(daemon, TERM)) {
            return;
        }
        // Threads that wait for their own mount only come back when its connection is gone.
        for (Path point : points) {
            MountTable.read().at(point).filter(MountTable.Mount::isTessera).ifPresent(Unmounter::abort);
        }
        daemon.end(true);
        if (!awaitEnd(daemon, KILL)) {
            throw new CliException("the daemon (pid " + daemon.pid()
                    + ") does not end even by SIGKILL: it hangs in the kernel; see docs/operations.md, 'A hung mount'");
        }
    }

    private CliException busy(Set<Path> points, AdminException cause) throws IOException {
        List<String> lines = new ArrayList<>();
        for (Path point : points) {
            List<MountUsers.User> users = MountUsers.of(point);
            List<MountTable.Mount> below = MountTable.read().below(point);
            if (!users.isEmpty() || !below.isEmpty()) {
                lines.add(point + " is busy:");
                below.forEach(mount -> lines.add("  mounted below it: " + mount.point()));
                if (!users.isEmpty()) {
                    lines.add(MountUsers.describe(users));
                }
            }
        }
        if (lines.isEmpty()) {
            lines.add(String.valueOf(cause.getMessage()) + " (who keeps it busy is not to be seen from here)");
        }
        lines.add("Nothing was stopped. End them, or detach the mount with 'tessera down --force'");
        return new CliException(String.join("\n", lines), cause);
    }

    /** Where this node may have mounts: its usual place, and what the configuration lists. */
    private Set<Path> mountPoints() {
        Set<Path> points = new LinkedHashSet<>(List.of(node.mount()));
        try {
            NodeConfigReader.read(node.config()).mounts().stream()
                    .map(MountConfig::path)
                    .forEach(points::add);
        } catch (ConfigException e) {
            err.println("tessera: " + e.getMessage());
        }
        return points;
    }

    private static boolean awaitEnd(DaemonProcess daemon, Duration limit) throws InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (daemon.runs()) {
            if (System.nanoTime() > deadline) {
                return false;
            }
            Thread.sleep(POLL_MS);
        }
        return true;
    }
}
