package io.tesserafs.node.daemon;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells a service manager how we are (sd_notify(3)). By systemd-notify(1), since the protocol is datagrams on a Unix socket, which
 * Java does not have; it runs only where NOTIFY_SOCKET is set, that is under systemd. The unit needs NotifyAccess=all.
 */
final class ServiceManager {
    private static final Logger LOG = LoggerFactory.getLogger(ServiceManager.class);
    private static final Duration LIMIT = Duration.ofSeconds(5);

    private ServiceManager() {}

    static void ready(Path mount) {
        notifyManager(
                "READY=1",
                "STATUS=mounted at " + mount,
                "MAINPID=" + ProcessHandle.current().pid());
    }

    static void stopping() {
        notifyManager("STOPPING=1");
    }

    private static void notifyManager(String... assignments) {
        String socket = System.getenv("NOTIFY_SOCKET");
        if (socket == null || socket.isEmpty()) {
            return;
        }
        try {
            List<String> command = new ArrayList<>(List.of("systemd-notify"));
            command.addAll(List.of(assignments));
            Process process = new ProcessBuilder(command).inheritIO().start();
            if (!process.waitFor(LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly();
                LOG.warn("systemd-notify does not end");
            }
        } catch (IOException e) {
            LOG.warn("the service manager cannot be told {}", assignments[0], e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
