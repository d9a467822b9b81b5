package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code tessera session}. */
@Command(
        name = "session",
        description = {
            "Look at the sessions of nodes with the owner of a volume, and end them. Every mount has one.",
            ""
        },
        footer = {"", "Examples:", "  tessera session list", "  tessera session evict 2 --yes"},
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {SessionCommand.Show.class, SessionCommand.Evict.class},
        mixinStandardHelpOptions = true)
final class SessionCommand extends CommandGroup {
    /** {@code tessera session list}. */
    @Command(
            name = "list",
            description = {
                "List the sessions of a volume. Any node can be asked.",
                "",
                "STATE is active; evicting: being fenced; awaited: known from the last owner, and not back yet. HEARD is how long "
                        + "ago the owner last heard of it.",
                ""
            },
            mixinStandardHelpOptions = true)
    static final class Show extends ListCommand {
        @Parameters(arity = "0..1", paramLabel = "VOLUME", defaultValue = "main", description = "Default: main.")
        String volume = "main";

        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            return target.call("session-list", AdminClient.args().put("volume", volume), NodeOptions.OWNER);
        }

        @Override
        JsonNode items(JsonNode answer) {
            return answer.path("sessions");
        }

        @Override
        List<String> heading() {
            return List.of("NODE", "SESSION", "STATE", "HEARD", "TOKENS", "LOCKS");
        }

        @Override
        List<String> row(JsonNode session) {
            return List.of(
                    "node" + session.path("node").asText(),
                    session.path("session").asText(),
                    session.path("state").asText(),
                    session.path("local").asBoolean()
                            ? "local"
                            : String.format(
                                    Locale.ROOT,
                                    "%.1f s",
                                    session.path("silentMs").asLong() / 1000.0),
                    session.path("tokens").asText(),
                    session.path("locks").asText());
        }
    }

    /** {@code tessera session evict}. */
    @Command(
            name = "evict",
            description = {
                "End a node's session with a volume, as if its lease had ended: the node is fenced on every brick, and what it held "
                        + "is given to others. What it had not saved is lost, and its applications get EIO for it. A node that is "
                        + "alive begins a new session by itself.",
                "",
                "Returns when the node is fenced, after at most its lease. Asks for --yes, since data may be lost.",
                ""
            },
            mixinStandardHelpOptions = true)
    static final class Evict extends DaemonCommand {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Option(names = "--yes", description = "Do it; without this, only say what would be lost.")
        boolean yes;

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
            if (!yes) {
                throw new ParameterException(
                        spec.commandLine(),
                        "what node " + node + " has not saved on volume " + volume
                                + " would be lost; say --yes to evict it");
            }
            ObjectNode args = AdminClient.args().put("volume", volume).put("node", node);
            return target.call("session-evict", args, NodeOptions.FENCING);
        }

        @Override
        void print(JsonNode answer) {
            output.out().println("Node " + node + " is fenced and its session with volume " + volume + " over.");
        }
    }
}
