package io.tesserafs.fabric.pmem;

/** What stands behind a pool's mapping, which decides how writes become persistent. */
public enum Backing {
    /** Persistent memory mapped with MAP_SYNC, or as a device: writing back cache lines is enough. */
    DAX,
    /** A page cache over a device: msync(2), which waits for the device. */
    DISK,
    /** Memory only (tmpfs, ramfs, hugetlbfs): survives the process, not the host. Nothing to flush. */
    MEMORY
}
