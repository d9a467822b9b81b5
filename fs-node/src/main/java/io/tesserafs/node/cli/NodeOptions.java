package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Which daemon a command talks to. */
final class NodeOptions {
    /** For questions that are answered from memory. */
    static final Duration QUICK = Duration.ofSeconds(10);

    /** For what the owner of a volume is asked, which may be another node and may have to be elected first. */
    static final Duration OWNER = Duration.ofSeconds(40);

    /** For what ends when a node that does not answer has been fenced. */
    static final Duration FENCING = Duration.ofMinutes(2);

    /** For work on a whole volume. */
    static final Duration LONG = Duration.ofMinutes(30);

    @Mixin
    StateOption state = new StateOption();

    @Option(names = "--node", paramLabel = "K", defaultValue = "1", description = "Number of the node (default: 1).")
    int node = 1;

    @Option(
            names = "--socket",
            paramLabel = "PATH",
            description = "Admin socket of the daemon, for daemons that 'up' did not start.")
    @Nullable
    Path socket;

    NodeLayout layout() {
        return NodeLayout.of(state.directory, node);
    }

    Path adminSocket() {
        return socket == null ? layout().adminSocket() : socket;
    }

    JsonNode call(String command, ObjectNode args, Duration timeout) throws IOException, AdminException, CliException {
        return call(adminSocket(), command, args, timeout);
    }

    static JsonNode call(Path socket, String command, ObjectNode args, Duration timeout)
            throws IOException, AdminException, CliException {
        try (AdminClient client = connect(socket)) {
            return client.call(command, args, timeout);
        }
    }

    static AdminClient connect(Path socket) throws CliException {
        try {
            return AdminClient.connect(socket);
        } catch (SocketException e) {
            throw new CliException(
                    "no daemon answers at " + socket + " (" + e.getMessage() + "); start it with 'tessera up'", e);
        } catch (IOException e) {
            throw new CliException("cannot connect to " + socket + ": " + e.getMessage(), e);
        }
    }
}
