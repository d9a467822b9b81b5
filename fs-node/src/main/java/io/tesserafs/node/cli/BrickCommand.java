package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.Size;
import java.io.IOException;
import java.util.List;
import picocli.CommandLine.Command;

/** {@code tessera brick}. */
@Command(
        name = "brick",
        description = {"Look at bricks: the pools that nodes export.", ""},
        synopsisSubcommandLabel = "COMMAND",
        subcommands = BrickCommand.Show.class,
        mixinStandardHelpOptions = true)
final class BrickCommand extends CommandGroup {
    /** {@code tessera brick list}. */
    @Command(
            name = "list",
            description = {
                "List the bricks of all nodes: their kind (device DAX, DAX file, plain file...), how they persist, and how the "
                        + "node that is asked reaches them (VIA): local, shm (pool mapped from the same host), verbs (RDMA) or tcp.",
                "",
                "STATE is up; silent: its node is registered, but the brick does not answer; down: its node is not there.",
                ""
            },
            mixinStandardHelpOptions = true)
    static final class Show extends ListCommand {
        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            return target.call("bricks", AdminClient.args(), NodeOptions.QUICK);
        }

        @Override
        List<String> heading() {
            return List.of(
                    "BRICK", "NODE", "STATE", "VIA", "SIZE", "FREE", "KIND", "PERSISTENCE", "REBOOT", "POOL", "PATH");
        }

        @Override
        List<String> row(JsonNode brick) {
            long unit = brick.path("blockBytes").asLong();
            return List.of(
                    "b" + brick.path("brick").asInt(),
                    brick.path("node").asText(),
                    brick.path("state").asText(),
                    orNone(brick.path("via")),
                    Size.display(brick.path("totalBlocks").asLong() * unit),
                    brick.has("freeBlocks")
                            ? Size.display(brick.path("freeBlocks").asLong() * unit)
                            : NONE,
                    orNone(brick.path("kind")),
                    orNone(brick.path("persistence")),
                    brick.has("survivesReboot") ? brick.path("survivesReboot").asBoolean() ? "survives" : "lost" : NONE,
                    brick.path("pool").asText(),
                    brick.path("path").asText());
        }
    }
}
