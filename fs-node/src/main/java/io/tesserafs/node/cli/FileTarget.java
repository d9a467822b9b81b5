package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.daemon.MountSource;
import io.tesserafs.node.daemon.NodeLayout;
import io.tesserafs.node.host.MountTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A file in a mount of this host, as its daemon knows it.
 *
 * @param socket of the daemon behind the mount
 */
record FileTarget(Path socket, String volume, long ino) {
    /** @param socket null to find it by the mount */
    static FileTarget of(Path path, @Nullable Path socket) throws IOException, CliException {
        Path absolute = path.toAbsolutePath().normalize();
        Path parent = absolute.getParent();
        Path real = parent == null ? absolute : parent.toRealPath().resolve(absolute.getFileName());
        MountTable.Mount mount = MountTable.read()
                .containing(real)
                .filter(MountTable.Mount::isTessera)
                .orElseThrow(() -> new CliException(path + " is not in a TesseraFS mount"));
        long ino = (Long) Files.getAttribute(real, "unix:ino", LinkOption.NOFOLLOW_LINKS);
        Optional<MountSource> source = MountSource.parse(mount.source());
        if (source.isEmpty()) {
            throw new CliException("the mount at " + mount.point() + " has the strange source " + mount.source());
        }
        Path admin = socket == null ? new NodeLayout(source.get().stateDir()).adminSocket() : socket;
        return new FileTarget(admin, source.get().volume(), ino);
    }

    ObjectNode args() {
        return AdminClient.args().put("volume", volume).put("ino", ino);
    }
}
