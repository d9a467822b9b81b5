package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code tessera volume owner}. */
@Command(
        name = "owner",
        description = {
            "Show which node owns a volume: it keeps the volume's names, tokens and locks. If there is none, waits a while for the "
                    + "next. Any node can be asked.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  tessera volume owner",
            "  tessera volume owner scratch --json",
            "  tessera volume owner move 2"
        },
        subcommands = VolumeOwnerCommand.Move.class,
        mixinStandardHelpOptions = true)
final class VolumeOwnerCommand extends DaemonCommand {
    @Parameters(arity = "0..1", paramLabel = "VOLUME", defaultValue = "main", description = "Default: main.")
    String volume = "main";

    @Override
    JsonNode ask() throws IOException, CliException, AdminException {
        return target.call("volume-owner", AdminClient.args().put("volume", volume), NodeOptions.OWNER);
    }

    @Override
    void print(JsonNode owner) {
        int sessions = owner.path("sessions").asInt();
        output.out()
                .println("Volume " + volume + " is owned by node"
                        + owner.path("node").asInt() + ", in epoch "
                        + owner.path("epoch").asLong() + ", with " + sessions
                        + (sessions == 1 ? " session." : " sessions.")
                        + (owner.path("mirrorBrick").isInt()
                                ? " Its log is on bricks b"
                                        + owner.path("logBrick").asInt() + " and b"
                                        + owner.path("mirrorBrick").asInt() + "."
                                : " Its log is on brick b"
                                        + owner.path("logBrick").asInt() + " alone.")
                        + (owner.path("state").asText().equals("waiting")
                                ? " It waits for nodes that the last owner had."
                                : ""));
    }

    /** {@code tessera volume owner move}. */
    @Command(
            name = "move",
            description = {
                "Have another node own a volume. The owner writes everything down and steps aside; applications on all nodes see a "
                        + "pause of moments. Data stays where it is.",
                ""
            },
            mixinStandardHelpOptions = true)
    static final class Move extends DaemonCommand {
        @Parameters(index = "0", paramLabel = "NODE", description = "Number of the node.")
        int node;

        @Parameters(
                index = "1",
                arity = "0..1",
                paramLabel = "VOLUME",
                defaultValue = "main",
                description = "Default: main.")
        String volume = "main";

        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            ObjectNode args = AdminClient.args().put("volume", volume).put("node", node);
            return target.call("volume-owner-move", args, NodeOptions.OWNER);
        }

        @Override
        void print(JsonNode answer) {
            output.out()
                    .println("Volume " + volume
                            + (answer.path("moved").asBoolean() ? " goes to node" : " is owned by node") + node
                            + (answer.path("moved").asBoolean() ? ": it takes over now." : " already."));
        }
    }
}
