package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfig.MountConfig;
import io.tesserafs.node.config.NodeConfigReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code tessera mount}. */
@Command(
        name = "mount",
        description = {"Mount a volume on a running node. Each volume is mounted once per node.", ""},
        footer = {
            "",
            "The mount lasts until 'umount' or 'down'. To have it again after 'up', list it in node.yaml.",
            "",
            "Examples:",
            "  tessera mount                        volume main at its usual place",
            "  tessera mount scratch /mnt/scratch"
        },
        mixinStandardHelpOptions = true)
final class MountCommand implements Callable<Integer> {
    @Mixin
    NodeOptions target = new NodeOptions();

    @Mixin
    Output output = new Output();

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "VOLUME",
            defaultValue = "main",
            description = "Default: main.")
    String volume = "main";

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "PATH",
            description = "An existing directory. Default: where node.yaml puts this volume.")
    @Nullable
    Path path;

    @Override
    public Integer call() throws IOException, CliException, AdminException, ConfigException {
        Path point = path == null ? configured() : path.toAbsolutePath().normalize();
        if (path != null && !Files.isDirectory(point)) {
            throw new CliException(point + ": no such directory");
        }
        ObjectNode args = AdminClient.args().put("volume", volume).put("path", point.toString());
        JsonNode answer = target.call("mount", args, NodeOptions.LONG);
        if (output.json) {
            output.json(answer);
        } else {
            output.out().println("Volume " + volume + " is mounted at " + point + ".");
        }
        return 0;
    }

    private Path configured() throws ConfigException, CliException {
        return NodeConfigReader.read(target.layout().config()).mounts().stream()
                .filter(mount -> mount.volume().equals(volume))
                .map(MountConfig::path)
                .findFirst()
                .orElseThrow(() -> new CliException("say where to mount volume " + volume + ": tessera mount " + volume
                        + " PATH (node.yaml has no place for it)"));
    }
}
