package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Attributes;
import java.lang.foreign.MemorySegment;

/**
 * struct fuse_statx_in (24 bytes), fuse_statx (256) and fuse_statx_out (288): what stat(1) uses to learn the time of birth (7.39).
 *
 * <pre>
 * statx:  0 mask u32 | 4 blksize u32 | 8 attributes u64 | 16 nlink | 20 uid | 24 gid u32 | 28 mode u16 | 30 spare u16 | 32 ino | 40 size
 *         | 48 blocks | 56 attributes_mask u64 | 64 atime | 80 btime | 96 ctime | 112 mtime (16 each: i64 s, u32 ns, i32 0)
 *         | 128 rdev_major | 132 rdev_minor | 136 dev_major | 140 dev_minor u32 | 144 spare[14] u64
 * out:    0 attr_valid u64 | 8 attr_valid_nsec u32 | 12 flags u32 | 16 spare[2] u64 | 32 statx
 * </pre>
 */
final class StatxLayout {
    static final int IN_GETATTR_FLAGS = 0;
    static final int IN_FH = 8;
    static final int IN_LENGTH = 24;

    static final int MASK = 0;
    static final int BLKSIZE = 4;
    static final int NLINK = 16;
    static final int UID = 20;
    static final int GID = 24;
    static final int MODE = 28;
    static final int INO = 32;
    static final int SIZE = 40;
    static final int BLOCKS = 48;
    static final int ATIME = 64;
    static final int BTIME = 80;
    static final int CTIME = 96;
    static final int MTIME = 112;
    static final int TIME_NSEC = 8;
    static final int RDEV_MAJOR = 128;
    static final int RDEV_MINOR = 132;
    static final int LENGTH = 256;

    static final int OUT_VALID = 0;
    static final int OUT_VALID_NSEC = 8;
    static final int OUT_STATX = 32;
    static final int OUT_LENGTH = 288;

    /** STATX_BASIC_STATS and STATX_BTIME: all that {@link Attributes} knows. */
    private static final int MASK_ALL = 0xfff;

    private StatxLayout() {}

    static void putStatxOut(MemorySegment out, long at, Attributes attr, long ttlNs) {
        out.asSlice(at, OUT_LENGTH).fill((byte) 0);
        AttrLayout.putTime(out, at + OUT_VALID, at + OUT_VALID_NSEC, ttlNs);
        long statx = at + OUT_STATX;
        Wire.putU32(out, statx + MASK, MASK_ALL);
        Wire.putU32(out, statx + BLKSIZE, AttrLayout.PREFERRED_IO_BYTES);
        Wire.putU32(out, statx + NLINK, attr.nlink());
        Wire.putU32(out, statx + UID, attr.uid());
        Wire.putU32(out, statx + GID, attr.gid());
        Wire.putU16(out, statx + MODE, attr.mode());
        Wire.putU64(out, statx + INO, attr.ino());
        Wire.putU64(out, statx + SIZE, attr.size());
        Wire.putU64(out, statx + BLOCKS, attr.blocks());
        putTime(out, statx + ATIME, attr.atimeNs());
        putTime(out, statx + BTIME, attr.btimeNs());
        putTime(out, statx + CTIME, attr.ctimeNs());
        putTime(out, statx + MTIME, attr.mtimeNs());
        // The kernel's 32-bit encoding of a device number: 12 bits of major between two parts of the minor.
        int rdev = attr.rdev();
        Wire.putU32(out, statx + RDEV_MAJOR, (rdev >>> 8) & 0xfff);
        Wire.putU32(out, statx + RDEV_MINOR, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00));
    }

    private static void putTime(MemorySegment out, long at, long ns) {
        AttrLayout.putTime(out, at, at + TIME_NSEC, ns);
    }
}
