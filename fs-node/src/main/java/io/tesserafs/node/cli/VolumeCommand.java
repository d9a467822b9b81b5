package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.config.Size;
import java.io.IOException;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tessera volume}. */
@Command(
        name = "volume",
        description = {"Create, list and delete volumes; see who owns them.", ""},
        footer = {
            "",
            "A volume is a file tree of its own with its own owner. Renames and hard links do not cross volumes.",
            "",
            "Examples:",
            "  tessera volume create scratch",
            "  tessera mount scratch /mnt/scratch",
            "  tessera volume delete scratch"
        },
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            VolumeCommand.Create.class,
            VolumeCommand.Show.class,
            VolumeOwnerCommand.class,
            VolumeCommand.Delete.class
        },
        mixinStandardHelpOptions = true)
final class VolumeCommand extends CommandGroup {
    private static String checked(String name) throws CliException {
        try {
            NodeConfig.requireVolumeName(name);
            return name;
        } catch (IllegalArgumentException e) {
            throw new CliException(String.valueOf(e.getMessage()), e);
        }
    }

    /** {@code tessera volume create}. */
    @Command(
            name = "create",
            description = "Create an empty volume. Its log and files are on the brick of the node that is asked.",
            mixinStandardHelpOptions = true)
    static final class Create extends DaemonCommand {
        @Parameters(paramLabel = "NAME", description = "Letters, digits, '.', '_' and '-'; at most 63.")
        String name = "";

        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            return target.call("volume-create", AdminClient.args().put("name", checked(name)), NodeOptions.LONG);
        }

        @Override
        void print(JsonNode answer) {
            output.out().println("Volume " + name + " is there. Mount it with: tessera mount " + name + " PATH");
        }
    }

    /** {@code tessera volume list}. */
    @Command(
            name = "list",
            description =
                    "List the volumes of the cluster. OWNER is the node that keeps the volume's names, tokens and locks; "
                            + "sizes are missing where it does not answer.",
            mixinStandardHelpOptions = true)
    static final class Show extends ListCommand {
        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            return target.call("volumes", AdminClient.args(), NodeOptions.QUICK);
        }

        @Override
        List<String> heading() {
            return List.of("NAME", "ID", "INODES", "USED", "SIZE", "OWNER", "MOUNT");
        }

        @Override
        List<String> row(JsonNode volume) {
            long total = volume.path("totalBytes").asLong();
            boolean known = total > 0;
            return List.of(
                    volume.path("name").asText(),
                    volume.path("id").asText(),
                    known ? volume.path("inodes").asText() : NONE,
                    known ? Size.display(total - volume.path("freeBytes").asLong()) : NONE,
                    known ? Size.display(total) : NONE,
                    volume.has("owner") ? "node" + volume.path("owner").asText() : NONE,
                    orNone(volume.path("mount")));
        }
    }

    /** {@code tessera volume delete}. */
    @Command(
            name = "delete",
            description =
                    "Delete a volume and give its blocks back. Refused while it is mounted on any node, and unless it is "
                            + "empty or --force is given.",
            mixinStandardHelpOptions = true)
    static final class Delete extends DaemonCommand {
        @Option(names = "--force", description = "Delete it with all files in it.")
        boolean force;

        @Parameters(paramLabel = "NAME", description = "The volume.")
        String name = "";

        @Override
        JsonNode ask() throws IOException, CliException, AdminException {
            ObjectNode args = AdminClient.args().put("volume", checked(name)).put("force", force);
            return target.call("volume-delete", args, NodeOptions.LONG);
        }

        @Override
        void print(JsonNode answer) {
            output.out()
                    .println("Volume " + name + " is deleted; "
                            + answer.path("freedBlocks").asLong() + " blocks are free again.");
        }
    }
}
