package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tessera token}. */
@Command(
        name = "token",
        description = {
            "Look at tokens, the nodes' permissions to cache, and take them back.",
            "",
            "A token covers a range of a file's data, its attributes (attr; each node writes sizes and times in a range of its "
                    + "own), or the names in a directory (entries). Any number of nodes may hold one shared, or one node exclusive.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  tessera token list",
            "  tessera token list .tessera/node1/mnt/data.bin",
            "  tessera token recall .tessera/node1/mnt/data.bin"
        },
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {TokenCommand.Show.class, TokenCommand.Recall.class},
        mixinStandardHelpOptions = true)
final class TokenCommand extends CommandGroup {
    /** {@code tessera token list}. */
    @Command(
            name = "list",
            description = {
                "List who holds and who waits for tokens of a volume, or of one file or directory. Any node can be asked.",
                "",
                "RANGE is in bytes; of attributes it is a number for each node.",
                ""
            },
            mixinStandardHelpOptions = true)
    static final class Show extends ListCommand {
        @Option(
                names = "--volume",
                paramLabel = "NAME",
                defaultValue = "main",
                description = "Without PATH: the volume (default: main).")
        String volume = "main";

        @Parameters(
                arity = "0..1",
                paramLabel = "PATH",
                description = "A file or directory in a mount; its daemon is asked. Symbolic links are not followed.")
        @Nullable
        Path path;

        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            if (path == null) {
                ObjectNode args = AdminClient.args().put("volume", volume);
                return target.call("token-list", args, NodeOptions.OWNER);
            }
            FileTarget file = FileTarget.of(path, target.socket);
            return NodeOptions.call(file.socket(), "token-list", file.args(), NodeOptions.OWNER);
        }

        @Override
        JsonNode items(JsonNode answer) {
            return answer.path("tokens");
        }

        @Override
        List<String> heading() {
            return List.of("INODE", "KIND", "RANGE", "MODE", "NODE", "SESSION", "STATE");
        }

        @Override
        List<String> row(JsonNode token) {
            return List.of(
                    token.path("ino").asText(),
                    token.path("kind").asText(),
                    range(token.path("fromByte").asLong(), token.path("toByte")),
                    token.path("mode").asText(),
                    "node" + token.path("node").asText(),
                    token.path("session").asText(),
                    token.path("waiting").asBoolean() ? "waits" : "held");
        }

        private static String range(long from, JsonNode to) {
            if (from == 0 && to.isMissingNode()) {
                return "all";
            }
            return from + ".." + to.asText("end");
        }

        @Override
        void print(JsonNode answer) {
            super.print(answer);
            if (answer.path("more").asBoolean()) {
                output.out().println("... and more; name a PATH");
            }
        }
    }

    /** {@code tessera token recall}. */
    @Command(
            name = "recall",
            description = {
                "Take all tokens of a file or directory back from all nodes: they write unsaved data, drop what they have "
                        + "cached, and ask again when they need it. Nothing is lost, and applications only see a delay.",
                "",
                "Returns when it is done.",
                ""
            },
            mixinStandardHelpOptions = true)
    static final class Recall extends DaemonCommand {
        @Parameters(
                paramLabel = "PATH",
                description = "A file or directory in a mount; its daemon is asked. Symbolic links are not followed.")
        Path path = Path.of(".");

        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            FileTarget file = FileTarget.of(path, target.socket);
            return NodeOptions.call(file.socket(), "token-recall", file.args(), NodeOptions.FENCING);
        }

        @Override
        void print(JsonNode answer) {
            JsonNode recalled = answer.path("recalled");
            TreeSet<String> nodes = new TreeSet<>();
            recalled.forEach(token -> nodes.add("node" + token.path("node").asText()));
            output.out()
                    .println(
                            recalled.isEmpty()
                                    ? "No node held a token of " + path + "."
                                    : "Recalled " + recalled.size()
                                            + (recalled.size() == 1 ? " token of " : " tokens of ")
                                            + path + " from " + String.join(", ", nodes) + " in "
                                            + answer.path("tookMs").asLong() + " ms.");
        }
    }
}
