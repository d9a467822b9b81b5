package io.tesserafs.fabric.pmem;

import io.tesserafs.fabric.pmem.PoolException.Reason;
import io.tesserafs.fabric.pmem.PoolNative.FileStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A device DAX, {@code /dev/daxX.Y}: persistent memory without a filesystem. It can only be mapped, in units of its alignment, and has
 * neither read(2) nor a size of its own; what it is stands in sysfs.
 *
 * @param bytes a multiple of the alignment
 */
record DaxDevice(long bytes, long alignmentBytes) {
    private static final Path CHARACTER_DEVICES = Path.of("/sys/dev/char");

    /** Null if the file is something else. */
    static @Nullable DaxDevice of(Path path, FileStatus status) throws PoolException {
        if (!status.isCharacterDevice()) {
            return null;
        }
        Path device = sysfs(status);
        try {
            Path subsystem = device.resolve("subsystem");
            if (!Files.exists(subsystem)
                    || !subsystem.toRealPath().getFileName().toString().equals("dax")) {
                return null;
            }
            Path own = device.resolve("align");
            Path ofRegion = device.toRealPath().resolveSibling("dax_region/align"); // Linux before 5.10
            long alignment = readNumber(Files.exists(own) ? own : ofRegion);
            long bytes = readNumber(device.resolve("size"));
            if (bytes < 0 || alignment < PoolGeometry.PAGE_BYTES || Long.bitCount(alignment) != 1) {
                throw new NumberFormatException(bytes + " bytes, aligned to " + alignment);
            }
            return new DaxDevice(bytes & -alignment, alignment);
        } catch (IOException | NumberFormatException e) {
            throw new PoolException(Reason.IO, path, device + " cannot be understood: " + e.getMessage(), e);
        }
    }

    static Path sysfs(FileStatus status) {
        return CHARACTER_DEVICES.resolve(status.specialMajor() + ":" + status.specialMinor());
    }

    private static long readNumber(Path file) throws IOException {
        return Long.parseLong(Files.readString(file).strip());
    }

    /** How much has to be mapped for so many bytes. */
    long mappedBytes(long wanted) {
        return (wanted + alignmentBytes - 1) & -alignmentBytes;
    }
}
