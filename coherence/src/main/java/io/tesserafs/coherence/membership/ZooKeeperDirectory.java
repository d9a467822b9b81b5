package io.tesserafs.coherence.membership;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The directory of an embedded server: locked by one process, looked over and tidied before the server opens it.
 *
 * <pre>
 * lock            held while the server runs; the kernel drops it with the process
 * client.port     the port chosen last, decimal
 * version-2/      ZooKeeper's own: snapshot.ZXID and log.ZXID
 * </pre>
 */
final class ZooKeeperDirectory implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ZooKeeperDirectory.class);

    /** ZooKeeper wants no fewer; older ones save it should the newest be torn. */
    private static final int SNAPSHOTS_KEPT = 3;

    private final Path root;
    private final FileChannel lockFile;

    private ZooKeeperDirectory(Path root, FileChannel lockFile) {
        this.root = root;
        this.lockFile = lockFile;
    }

    static ZooKeeperDirectory open(Path root) throws IOException {
        Files.createDirectories(root.resolve("version-2"));
        FileChannel channel =
                FileChannel.open(root.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            if (tryLock(channel) == null) {
                throw new MembershipException(
                        MembershipException.Reason.LOCAL, "Another process runs a ZooKeeper server on " + root);
            }
            ZooKeeperDirectory directory = new ZooKeeperDirectory(root, channel);
            directory.repairLogs();
            directory.purge();
            return directory;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    Path root() {
        return root;
    }

    /** The port of the last run, or 0. */
    int rememberedPort() throws IOException {
        Path file = root.resolve("client.port");
        if (!Files.exists(file)) {
            return 0;
        }
        try {
            int port = Integer.parseInt(Files.readString(file).strip());
            return port > 0 && port <= 0xFFFF ? port : 0;
        } catch (NumberFormatException e) {
            LOG.warn("{} holds no port number; choosing another port", file, e);
            return 0;
        }
    }

    void rememberPort(int port) throws IOException {
        Path temporary = root.resolve("client.port.new");
        Files.writeString(temporary, port + "\n");
        Files.move(temporary, root.resolve("client.port"), StandardCopyOption.ATOMIC_MOVE);
    }

    @Override
    public void close() throws IOException {
        lockFile.close();
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    private void repairLogs() throws IOException {
        List<Path> logs = filesByZxid("log.");
        for (Path log : logs) {
            if (new TxnLogFile(log).repair(root)) {
                LOG.warn("Cut the damaged end of {} (a write that was never answered); kept a copy in {}", log, root);
                if (Files.size(log) == 0) {
                    Files.delete(log);
                }
            }
        }
    }

    /**
     * Deletes snapshots beyond the newest few, and logs that only those needed. Every start of the server leaves a snapshot, so
     * doing this at start bounds the directory.
     */
    private void purge() throws IOException {
        List<Path> snapshots = filesByZxid("snapshot.");
        if (snapshots.size() <= SNAPSHOTS_KEPT) {
            return;
        }
        int firstKept = snapshots.size() - SNAPSHOTS_KEPT;
        long oldestKept = zxid(snapshots.get(firstKept));
        for (Path snapshot : snapshots.subList(0, firstKept)) {
            Files.delete(snapshot);
        }
        // The last log that begins at or before the oldest kept snapshot may run beyond it.
        List<Path> earlier = filesByZxid("log.").stream()
                .filter(log -> zxid(log) <= oldestKept)
                .toList();
        for (int i = 0; i < earlier.size() - 1; i++) {
            Files.delete(earlier.get(i));
        }
    }

    private List<Path> filesByZxid(String prefix) throws IOException {
        try (Stream<Path> files = Files.list(root.resolve("version-2"))) {
            List<Path> found = new ArrayList<>(files.filter(file ->
                            file.getFileName().toString().matches(prefix.replace(".", "\\.") + "[0-9a-f]{1,16}"))
                    .toList());
            found.sort(Comparator.comparingLong(ZooKeeperDirectory::zxid));
            return found;
        }
    }

    private static long zxid(Path file) {
        String name = file.getFileName().toString();
        return Long.parseUnsignedLong(name.substring(name.indexOf('.') + 1), 16);
    }
}
