package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.Json;
import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.daemon.OfflineNode;
import io.tesserafs.node.daemon.StartException;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tessera fsck}. */
@Command(
        name = "fsck",
        description = {
            "Check a volume: names against inodes, extents against each other, and the block map against both.",
            "",
            "Works on a mounted volume (changes wait while it looks), whichever node is asked, and with --offline when no "
                    + "daemon runs. "
                    + "Nothing is changed. Exit status 1 if something is wrong.",
            ""
        },
        footer = {"", "Examples:", "  tessera fsck", "  tessera fsck --offline scratch"},
        mixinStandardHelpOptions = true)
final class FsckCommand implements Callable<Integer> {
    @Mixin
    NodeOptions target = new NodeOptions();

    @Mixin
    Output output = new Output();

    @Option(names = "--offline", description = "Without a daemon: open pool and log here.")
    boolean offline;

    @Parameters(arity = "0..1", paramLabel = "VOLUME", defaultValue = "main", description = "Default: main.")
    String volume = "main";

    @Override
    public Integer call() throws IOException, CliException, AdminException, ConfigException, StartException {
        JsonNode report;
        if (offline) {
            try (OfflineNode node = OfflineNode.open(target.layout())) {
                report = Json.MAPPER.valueToTree(node.fsck(volume));
            }
        } else {
            report = target.call("fsck", AdminClient.args().put("volume", volume), NodeOptions.LONG);
        }
        boolean clean = report.path("problems").isEmpty();
        if (output.json) {
            output.json(report);
        } else {
            report.path("problems").forEach(problem -> output.out().println(problem.asText()));
            output.out()
                    .println("Volume " + volume + ": " + report.path("summary").asText()
                            + (clean
                                    ? "; clean"
                                    : "; " + report.path("problems").size() + " problems"));
        }
        return clean ? 0 : Main.FAILED;
    }
}
