package io.tesserafs.fuse.mount;

import io.tesserafs.fuse.libc.LibcNative;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The kernel's end of a mount, as the control filesystem under /sys/fs/fuse/connections shows it. The last resort for a mount
 * whose daemon is stuck or gone: abort works when unmounting and killing do not.
 *
 * @param number the mount's device minor, see {@link MountInfo#deviceMinor}
 */
public record FuseConnection(int number) {
    private static final Path CONTROL = Path.of("/sys/fs/fuse/connections");

    /** Requests that wait for an answer. Needs the rights of the user who mounted. */
    public int waiting() throws IOException {
        return Integer.parseInt(Files.readString(file("waiting")).trim());
    }

    /** Makes every pending and later request fail, and the daemon's reads end. Of no effect if the connection is gone. */
    public void abort() throws IOException {
        Path abort = abortFile();
        if (Files.exists(abort)) {
            Files.writeString(abort, "1");
        }
    }

    /** Where a write ends the connection. */
    Path abortFile() throws IOException {
        return file("abort");
    }

    private Path file(String name) throws IOException {
        if (!Files.isDirectory(CONTROL)) {
            throw new MountException(
                    MountException.Reason.UNAVAILABLE, CONTROL + " does not exist: the kernel has no FUSE");
        }
        boolean mounted = MountInfo.all().stream().anyMatch(m -> m.mountPoint().equals(CONTROL));
        if (!mounted) {
            int errno = MountNative.mount("fusectl", CONTROL.toString(), "fusectl", 0, "");
            if (errno != 0) {
                throw new MountException(
                        MountException.Reason.PERMISSION,
                        "cannot mount fusectl on " + CONTROL + ": " + LibcNative.describe(errno));
            }
        }
        return CONTROL.resolve(Integer.toString(number)).resolve(name);
    }
}
