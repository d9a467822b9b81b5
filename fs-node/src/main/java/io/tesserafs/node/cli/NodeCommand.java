package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.daemon.DaemonLogging;
import io.tesserafs.node.daemon.NodeDaemon;
import io.tesserafs.node.daemon.StartException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code tessera node}. */
@Command(
        name = "node",
        description = {
            "Run the daemon of one node in the foreground, for service managers. SIGTERM stops it in order; "
                    + "READY=1 is sent to $$NOTIFY_SOCKET when mounts can be used.",
            "",
            "'node list' shows the nodes of the cluster.",
            ""
        },
        footer = {"", "The configuration is described in deploy/tesserad.example.yaml."},
        subcommands = NodeCommand.Show.class,
        mixinStandardHelpOptions = true)
final class NodeCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Option(names = "--config", paramLabel = "FILE", description = "YAML file of the node.")
    @Nullable
    Path config;

    @Option(names = "--check", description = "Only check the file.")
    boolean check;

    @Override
    public Integer call() throws ConfigException, IOException, StartException, InterruptedException {
        if (config == null) {
            throw new ParameterException(
                    spec.commandLine(),
                    "say what to do: node --config=FILE, or node " + CommandGroup.subcommands(spec));
        }
        NodeConfig node = NodeConfigReader.read(config.toAbsolutePath());
        if (check) {
            return 0;
        }
        DaemonLogging.configure(node.log());
        return NodeDaemon.runToEnd(node);
    }

    /** {@code tessera node list}. */
    @Command(
            name = "list",
            description = {
                "List the nodes of the cluster, as the one that is asked sees them.",
                "",
                "STATE is that of the daemon (ready, starting, stopping); silent: registered, but it does not answer; down: known "
                        + "by its brick only. VIA is how its brick is reached: local, shm (pool mapped from the same host), verbs (RDMA) or "
                        + "tcp; KEYS how it takes back the keys for RDMA that it gave to others: registration or window (memory "
                        + "windows); CALLS what calls to it go over, RTT the time of a small one.",
                ""
            },
            footer = {"", "Examples:", "  tessera node list", "  tessera node list --node 2 --json"},
            mixinStandardHelpOptions = true)
    static final class Show extends ListCommand {
        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            return target.call("nodes", AdminClient.args(), NodeOptions.QUICK);
        }

        @Override
        List<String> heading() {
            return List.of("NODE", "STATE", "VIA", "KEYS", "CALLS", "RTT", "BRICKS", "PID", "VERSION", "ADDRESS");
        }

        @Override
        List<String> row(JsonNode node) {
            StringBuilder bricks = new StringBuilder();
            for (JsonNode brick : node.path("bricks")) {
                bricks.append(bricks.isEmpty() ? "b" : " b").append(brick.asInt());
            }
            return List.of(
                    "node" + node.path("node").asText(),
                    node.path("state").asText(),
                    orNone(node.path("via")),
                    orNone(node.path("rdmaKeys")),
                    orNone(node.path("calls")),
                    node.has("roundTripUs")
                            ? String.format(
                                    Locale.ROOT,
                                    "%.1f ms",
                                    node.path("roundTripUs").asLong() / 1000.0)
                            : NONE,
                    bricks.isEmpty() ? NONE : bricks.toString(),
                    orNone(node.path("pid")),
                    orNone(node.path("version")),
                    orNone(node.path("address")));
        }
    }
}
