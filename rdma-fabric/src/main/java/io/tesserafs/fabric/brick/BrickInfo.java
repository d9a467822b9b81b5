package io.tesserafs.fabric.brick;

import java.util.UUID;

/**
 * A brick at one moment.
 *
 * @param pool the pool's UUID
 * @param persistence how writes become persistent there
 * @param survivesReboot false if the pool sits on tmpfs or the like
 * @param blockingFlush whether flush waits for a device (then keep it off request threads)
 * @param zeroFaultCost whether populating pages ahead of use pays (memory-backed pools)
 * @param losses how often bytes that were not flushed were lost with the host's memory: while it stays the same, what was written is there
 */
public record BrickInfo(
        BrickId brick,
        UUID pool,
        String path,
        String kind,
        Persistence persistence,
        long totalBlocks,
        long freeBlocks,
        boolean survivesReboot,
        boolean blockingFlush,
        boolean zeroFaultCost,
        int losses) {
    /** How a flush reaches the persistence domain. */
    public enum Persistence {
        /** MAP_SYNC mapping and cache-line write-back. */
        CACHE_LINE_WRITE_BACK,
        /** msync(2). */
        MSYNC,
        /** Memory only: survives the process, not the host. */
        NONE
    }
}
