package io.tesserafs.node.cli;

import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.daemon.DaemonLogging;
import io.tesserafs.node.daemon.NodeDaemon;
import io.tesserafs.node.daemon.StartException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tessera node}. */
@Command(
        name = "node",
        description = {
            "Run the daemon of one node in the foreground, for service managers. SIGTERM stops it in order; "
                    + "READY=1 is sent to $$NOTIFY_SOCKET when mounts can be used.",
            ""
        },
        footer = {"", "The configuration is described in deploy/tesserad.example.yaml."},
        mixinStandardHelpOptions = true)
final class NodeCommand implements Callable<Integer> {
    @Option(names = "--config", required = true, paramLabel = "FILE", description = "YAML file of the node.")
    Path config = Path.of("node.yaml");

    @Option(names = "--check", description = "Only check the file.")
    boolean check;

    @Override
    public Integer call() throws ConfigException, IOException, StartException, InterruptedException {
        NodeConfig node = NodeConfigReader.read(config.toAbsolutePath());
        if (check) {
            return 0;
        }
        DaemonLogging.configure(node.log());
        return NodeDaemon.runToEnd(node);
    }
}
