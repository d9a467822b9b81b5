package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tessera umount}. */
@Command(
        name = "umount",
        description = {"Unmount a volume; the daemon goes on. A busy mount is not taken away without --force.", ""},
        mixinStandardHelpOptions = true)
final class UmountCommand implements Callable<Integer> {
    @Mixin
    NodeOptions target = new NodeOptions();

    @Mixin
    Output output = new Output();

    @Option(names = "--force", description = "Detach the mount although it is in use.")
    boolean force;

    @Parameters(arity = "0..1", paramLabel = "PATH", description = "The mount point. Default: DIR/nodeK/mnt.")
    @Nullable
    Path path;

    @Override
    public Integer call() throws IOException, CliException, AdminException {
        // Not resolved through links: to resolve a path can hang on a hung mount.
        Path point =
                path == null ? target.layout().mount() : path.toAbsolutePath().normalize();
        ObjectNode args = AdminClient.args().put("path", point.toString()).put("force", force);
        try {
            target.call("umount", args, NodeOptions.LONG);
        } catch (AdminException e) {
            List<MountUsers.User> users = e.code() == Code.BUSY ? MountUsers.of(point) : List.of();
            if (users.isEmpty()) {
                throw e;
            }
            throw new CliException(
                    point + " is busy:\n" + MountUsers.describe(users) + "\nEnd them, or use --force", e);
        }
        if (output.json) {
            output.json(args);
        } else {
            output.out().println(point + " is unmounted.");
        }
        return 0;
    }
}
