package io.tesserafs.fuse;

/**
 * What stat(2) shows of one inode. Implementations are immutable snapshots.
 *
 * <p>Times are nanoseconds since 1970-01-01T00:00Z, signed. {@link #blocks()} counts 512-byte units, as st_blocks does.
 */
public interface Attributes {
    /** Inode number, which is also the FUSE node id; the root is 1. Never reused, so the generation is always 0. */
    long ino();

    /** File type and permission bits, as st_mode. */
    int mode();

    int nlink();

    int uid();

    int gid();

    /** Device number of a character or block special file in the kernel's 32-bit encoding, else 0. */
    int rdev();

    long size();

    long blocks();

    long atimeNs();

    long mtimeNs();

    long ctimeNs();

    /** Time of birth. */
    long btimeNs();
}
