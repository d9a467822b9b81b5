package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.config.Size;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code tessera volume}. */
@Command(
        name = "volume",
        description = {"Create, list and delete volumes.", ""},
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
        subcommands = {VolumeCommand.Create.class, VolumeCommand.Show.class, VolumeCommand.Delete.class},
        mixinStandardHelpOptions = true)
final class VolumeCommand implements Runnable {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say what to do: volume create, list or delete");
    }

    private static String checked(String name) throws CliException {
        try {
            NodeConfig.requireVolumeName(name);
            return name;
        } catch (IllegalArgumentException e) {
            throw new CliException(String.valueOf(e.getMessage()), e);
        }
    }

    /** {@code tessera volume create}. */
    @Command(name = "create", description = "Create an empty volume.", mixinStandardHelpOptions = true)
    static final class Create implements Callable<Integer> {
        @Mixin
        NodeOptions target = new NodeOptions();

        @Mixin
        Output output = new Output();

        @Parameters(paramLabel = "NAME", description = "Letters, digits, '.', '_' and '-'; at most 63.")
        String name = "";

        @Override
        public Integer call() throws IOException, CliException, AdminException {
            JsonNode answer =
                    target.call("volume-create", AdminClient.args().put("name", checked(name)), NodeOptions.LONG);
            if (output.json) {
                output.json(answer);
            } else {
                output.out().println("Volume " + name + " is there. Mount it with: tessera mount " + name + " PATH");
            }
            return 0;
        }
    }

    /** {@code tessera volume list}. */
    @Command(name = "list", description = "List the volumes of the cluster.", mixinStandardHelpOptions = true)
    static final class Show implements Callable<Integer> {
        @Mixin
        NodeOptions target = new NodeOptions();

        @Mixin
        Output output = new Output();

        @Override
        public Integer call() throws IOException, CliException, AdminException {
            JsonNode volumes = target.call("volumes", AdminClient.args(), NodeOptions.QUICK);
            if (output.json) {
                output.json(volumes);
                return 0;
            }
            List<List<String>> rows = new ArrayList<>();
            rows.add(List.of("NAME", "ID", "INODES", "USED", "OWNER", "MOUNT"));
            for (JsonNode volume : volumes) {
                boolean open = volume.hasNonNull("role");
                rows.add(List.of(
                        volume.path("name").asText(),
                        volume.path("id").asText(),
                        open ? volume.path("inodes").asText() : "-",
                        open
                                ? Size.display(volume.path("totalBytes").asLong()
                                        - volume.path("freeBytes").asLong())
                                : "-",
                        open ? volume.path("role").asText() : "-",
                        volume.path("mount").asText("-")));
            }
            output.table(rows);
            return 0;
        }
    }

    /** {@code tessera volume delete}. */
    @Command(
            name = "delete",
            description =
                    "Delete a volume and give its blocks back. Refused while it is mounted, and unless it is empty "
                            + "or --force is given.",
            mixinStandardHelpOptions = true)
    static final class Delete implements Callable<Integer> {
        @Mixin
        NodeOptions target = new NodeOptions();

        @Mixin
        Output output = new Output();

        @Option(names = "--force", description = "Delete it with all files in it.")
        boolean force;

        @Parameters(paramLabel = "NAME", description = "The volume.")
        String name = "";

        @Override
        public Integer call() throws IOException, CliException, AdminException {
            ObjectNode args = AdminClient.args().put("name", checked(name)).put("force", force);
            JsonNode answer = target.call("volume-delete", args, NodeOptions.LONG);
            if (output.json) {
                output.json(answer);
            } else {
                output.out()
                        .println("Volume " + name + " is deleted; "
                                + answer.path("freedBlocks").asLong() + " blocks are free again.");
            }
            return 0;
        }
    }
}
