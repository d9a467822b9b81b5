package io.tesserafs.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The FUSE mounts below a directory, looked at and taken away without touching what is in them. */
final class Mounts {
    private static final Path CONNECTIONS = Path.of("/sys/fs/fuse/connections");

    private Mounts() {}

    /** One line of mountinfo: the connection's number is the device's minor. */
    record Mount(String connection, Path point) {}

    static List<Mount> below(Path directory) {
        try {
            return Files.readAllLines(Path.of("/proc/self/mountinfo"), StandardCharsets.ISO_8859_1).stream()
                    .map(line -> line.split(" "))
                    .map(f -> new Mount(f[2].substring(f[2].indexOf(':') + 1), Path.of(f[4])))
                    .filter(mount -> mount.point().startsWith(directory))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Ends the connections of all mounts below: every request fails, nothing hangs. */
    static void abortBelow(Path directory) {
        for (Mount mount : below(directory)) {
            Path abort = CONNECTIONS.resolve(mount.connection()).resolve("abort");
            try {
                if (Files.exists(abort)) {
                    Files.writeString(abort, "1");
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
