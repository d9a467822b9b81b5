package io.tesserafs.node.cli;

import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.daemon.NodeLayout;
import io.tesserafs.node.host.MountTable;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Deletes a stopped node. Never follows a link and never enters a mount. */
final class Destroyer {
    private final NodeLayout node;

    Destroyer(NodeLayout node) {
        this.node = node;
    }

    void destroy() throws IOException, CliException {
        List<MountTable.Mount> mounts = MountTable.read().mounts().stream()
                .filter(mount -> mount.point().startsWith(node.dir()))
                .toList();
        if (!mounts.isEmpty()) {
            throw new CliException("not deleted: " + mounts.getFirst().point() + " is still mounted");
        }
        deletePool();
        Files.walkFileTree(node.dir(), new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure)
                    throws IOException {
                if (failure != null) {
                    throw failure;
                }
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** A pool elsewhere belongs to the node, too; a device does not, it is only ours to use. */
    private void deletePool() throws IOException, CliException {
        try {
            Path pool = NodeConfigReader.read(node.config()).pool().path();
            if (Files.isRegularFile(pool, LinkOption.NOFOLLOW_LINKS)) {
                Files.delete(pool);
            }
        } catch (ConfigException e) {
            throw new CliException("not deleted, since it is not clear where the pool is: " + e.getMessage(), e);
        }
    }

    static void deleteIfEmpty(Path directory) throws IOException {
        try {
            Files.delete(directory);
        } catch (DirectoryNotEmptyException | NoSuchFileException e) {
            return; // Something of somebody else's is in it, or it is gone: both are fine.
        }
    }
}
