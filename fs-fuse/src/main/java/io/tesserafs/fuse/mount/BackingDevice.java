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
        set(directory.resolve("read_ahead_kb"), Integer.toString(readAheadKiB), "large sequential reads");
        set(directory.resolve("max_ratio"), "100", "writes through mappings");
        Path strict = directory.resolve("strict_limit");
        if (Files.exists(strict)) { // since Linux 6.2
            set(strict, "0", "writes through mappings");
        }
    }

    private static void set(Path file, String value, String slower) {
        try {
            Files.writeString(file, value);
        } catch (IOException e) {
            LOG.info("Cannot set {} ({}); {} will be slower", file, e.toString(), slower);
        }
    }
}
