package io.tesserafs.fabric.pmem;

import java.nio.file.Path;
import java.time.Instant;
import java.util.UUID;

/**
 * A pool as its header describes it.
 *
 * @param cluster name or UUID of the cluster it joined; empty if none
 * @param brick its number there; 0 if none
 * @param fileSystem what it lies on, such as {@code ext4}; {@code device DAX} if on none
 * @param bootIdAtLastOpen see {@link Pool#sameBoot()}
 * @param damagedHeaderCopies 0 or 1; one good copy is enough to work with, and the next open repairs the other
 */
public record PoolInfo(
        Path path,
        UUID pool,
        String cluster,
        int brick,
        int version,
        long blocks,
        int blockBytes,
        long fileBytes,
        Instant created,
        String fileSystem,
        boolean survivesReboot,
        UUID bootIdAtLastOpen,
        boolean cleanShutdown,
        int damagedHeaderCopies) {
    /** For people: {@code ext4 file}, {@code device DAX}. */
    public String kind() {
        return fileSystem.equals(FileSystemKind.NONE.name()) ? fileSystem : fileSystem + " file";
    }
}
