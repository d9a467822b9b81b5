package io.tesserafs.node.cli;

import io.tesserafs.node.host.MountTable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * Takes away mounts whose daemon cannot do it any more. By umount(8) and fusermount3(1) with a time limit, so that a hung mount cannot
 * hang us. Neither follows the path into the mount.
 */
final class Unmounter {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private Unmounter() {}

    /** Detaches everything mounted at exactly {@code point}: new accesses no longer reach it, open files stay open. */
    static void detach(Path point) throws IOException, InterruptedException, CliException {
        while (MountTable.read().at(point).isPresent()) {
            int before = MountTable.read().mounts().size();
            Shell.Result result = root()
                    ? Shell.run(LIMIT, List.of("umount", "--no-canonicalize", "--lazy", point.toString()))
                    : Shell.run(LIMIT, List.of("fusermount3", "-u", "-z", point.toString()));
            if (MountTable.read().mounts().size() >= before) {
                throw new CliException("cannot detach the mount at " + point
                        + (result.output().isEmpty() ? "" : ": " + result.output()));
            }
        }
    }

    /**
     * Ends a FUSE connection from outside: all waiting requests fail with ECONNABORTED. Root only.
     *
     * @return false if this kernel or this user cannot
     */
    static boolean abort(MountTable.Mount mount) {
        Path abort = Path.of("/sys/fs/fuse/connections", mount.connection(), "abort");
        try {
            if (!Files.exists(abort)) {
                return false;
            }
            Files.writeString(abort, "1", StandardCharsets.US_ASCII);
            return true;
        } catch (IOException e) {
            return false; // Not root, or the connection has just ended; the caller looks at the mount table again.
        }
    }

    static boolean root() throws IOException {
        return Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
    }
}
