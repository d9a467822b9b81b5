package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.Size;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code tessera brick}. */
@Command(
        name = "brick",
        description = {"Look at bricks: the pools that nodes export.", ""},
        synopsisSubcommandLabel = "COMMAND",
        subcommands = BrickCommand.Show.class,
        mixinStandardHelpOptions = true)
final class BrickCommand implements Runnable {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say what to do: brick list");
    }

    /** {@code tessera brick list}. */
    @Command(
            name = "list",
            description = "List bricks with their kind (device DAX, DAX file, plain file...) and how they persist.",
            mixinStandardHelpOptions = true)
    static final class Show implements Callable<Integer> {
        @Mixin
        NodeOptions target = new NodeOptions();

        @Mixin
        Output output = new Output();

        @Override
        public Integer call() throws IOException, CliException, AdminException {
            JsonNode bricks = target.call("bricks", AdminClient.args(), NodeOptions.QUICK);
            if (output.json) {
                output.json(bricks);
                return 0;
            }
            List<List<String>> rows = new ArrayList<>();
            rows.add(List.of("BRICK", "SIZE", "FREE", "KIND", "PERSISTENCE", "REBOOT", "POOL", "PATH"));
            for (JsonNode brick : bricks) {
                long unit = brick.path("blockBytes").asLong();
                rows.add(List.of(
                        "b" + brick.path("brick").asInt(),
                        Size.display(brick.path("totalBlocks").asLong() * unit),
                        Size.display(brick.path("freeBlocks").asLong() * unit),
                        brick.path("kind").asText(),
                        brick.path("persistence").asText(),
                        brick.path("survivesReboot").asBoolean() ? "survives" : "lost",
                        brick.path("pool").asText(),
                        brick.path("path").asText()));
            }
            output.table(rows);
            return 0;
        }
    }
}
