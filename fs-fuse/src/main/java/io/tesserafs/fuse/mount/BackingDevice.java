package io.tesserafs.fuse.mount;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kernel's writeback and readahead settings for one mount, under /sys/class/bdi.
 *
 * <p>FUSE mounts start with strict_limit 1 and max_ratio 1: a hundredth of the dirty memory allowed, and a hard limit. That protects
 * against untrusted servers, and slows writers through a mapping to a crawl. Our pages are backed by memory: as trusted as a disk.
 */
final class BackingDevice {
    private static final Logger LOG = LoggerFactory.getLogger(BackingDevice.class);
    private static final Path CLASS = Path.of("/sys/class/bdi");

    private BackingDevice() {}

    /** Best effort: an ordinary user may not, and the mount works without. */
    static void tune(MountInfo mount, int readAheadKiB) {
        Path directory = CLASS.resolve(mount.deviceMajor() + ":" + mount.deviceMinor());
        try {
            Files.writeString(directory.resolve("read_ahead_kb"), Integer.toString(readAheadKiB));
            Files.writeString(directory.resolve("strict_limit"), "0");
            Files.writeString(directory.resolve("max_ratio"), "100");
        } catch (IOException e) {
            LOG.info(
                    "Cannot set readahead and writeback limits in {} ({}); large sequential reads and writes through"
                            + " mappings will be slower",
                    directory,
                    e.toString());
        }
    }
}
