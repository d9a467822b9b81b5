package io.tesserafs.node.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
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

/** {@code tessera log}. */
@Command(
        name = "log",
        description = {"Look at a volume's log.", ""},
        synopsisSubcommandLabel = "COMMAND",
        subcommands = LogCommand.Dump.class,
        mixinStandardHelpOptions = true)
final class LogCommand extends CommandGroup {
    /** {@code tessera log dump}. */
    @Command(
            name = "dump",
            description =
                    "Print the records of the log that are still there: those since the last checkpoint. Any node can be asked.",
            mixinStandardHelpOptions = true)
    static final class Dump implements Callable<Integer> {
        @Mixin
        NodeOptions target = new NodeOptions();

        @Mixin
        Output output = new Output();

        @Option(names = "--offline", description = "Without a daemon: open pool and log here.")
        boolean offline;

        @Option(names = "--from", paramLabel = "LSN", defaultValue = "0", description = "First record to print.")
        long from;

        @Parameters(arity = "0..1", paramLabel = "VOLUME", defaultValue = "main", description = "Default: main.")
        String volume = "main";

        @Override
        public Integer call() throws IOException, CliException, AdminException, ConfigException, StartException {
            if (offline) {
                try (OfflineNode node = OfflineNode.open(target.layout())) {
                    print(Json.MAPPER.valueToTree(node.logRecords(volume, from, Integer.MAX_VALUE)));
                }
                return 0;
            }
            long next = from;
            while (next >= 0) {
                JsonNode page = target.call(
                        "log-dump", AdminClient.args().put("volume", volume).put("from", next), NodeOptions.LONG);
                print(page.path("records"));
                next = page.path("next").asLong(-1);
            }
            return 0;
        }

        /** JSON as one object per line: the whole may be long. */
        private void print(JsonNode records) throws JsonProcessingException {
            for (JsonNode entry : records) {
                output.out()
                        .println(
                                output.json
                                        ? Json.MAPPER.writeValueAsString(entry)
                                        : entry.path("lsn").asLong() + "  "
                                                + entry.path("text").asText());
            }
        }
    }
}
