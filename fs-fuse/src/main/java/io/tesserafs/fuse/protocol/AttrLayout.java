package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Attributes;
import java.lang.foreign.MemorySegment;

/**
 * What the kernel learns of an inode: struct fuse_attr (88 bytes) and the answers that hold one, fuse_attr_out (104),
 * fuse_entry_out (128) and fuse_statx_out (288); struct fuse_kstatfs (80); the requests fuse_getattr_in (16) and fuse_statx_in (24).
 *
 * <pre>
 * attr:       0 ino | 8 size | 16 blocks | 24 atime | 32 mtime | 40 ctime (u64) | 48 atimensec | 52 mtimensec | 56 ctimensec
 *             | 60 mode | 64 nlink | 68 uid | 72 gid | 76 rdev | 80 blksize | 84 flags (u32)
 * attr_out:   0 attr_valid u64 | 8 attr_valid_nsec u32 | 12 dummy | 16 attr
 * entry_out:  0 nodeid | 8 generation | 16 entry_valid | 24 attr_valid (u64) | 32 entry_valid_nsec | 36 attr_valid_nsec (u32) | 40 attr
 * statx_out:  0 attr_valid u64 | 8 attr_valid_nsec | 12 flags u32 | 16 spare[2] u64 | 32 statx
 * </pre>
 */
final class AttrLayout {
    static final int INO = 0;
    static final int SIZE = 8;
    static final int BLOCKS = 16;
    static final int ATIME = 24;
    static final int MTIME = 32;
    static final int CTIME = 40;
    static final int ATIMENSEC = 48;
    static final int MTIMENSEC = 52;
    static final int CTIMENSEC = 56;
    static final int MODE = 60;
    static final int NLINK = 64;
    static final int UID = 68;
    static final int GID = 72;
    static final int RDEV = 76;
    static final int BLKSIZE = 80;
    static final int FLAGS = 84;
    static final int LENGTH = 88;

    static final int OUT_VALID = 0;
    static final int OUT_VALID_NSEC = 8;
    static final int OUT_ATTR = 16;
    static final int OUT_LENGTH = 104;

    static final int ENTRY_NODEID = 0;
    static final int ENTRY_GENERATION = 8;
    static final int ENTRY_VALID = 16;
    static final int ENTRY_ATTR_VALID = 24;
    static final int ENTRY_VALID_NSEC = 32;
    static final int ENTRY_ATTR_VALID_NSEC = 36;
    static final int ENTRY_ATTR = 40;
    static final int ENTRY_LENGTH = 128;

    static final int GETATTR_FLAGS = 0;
    static final int GETATTR_FH = 8;
    static final int GETATTR_LENGTH = 16;
    /** FUSE_GETATTR_FH: the handle is valid. */
    static final int FLAG_GETATTR_FH = 1;

    static final int STATFS_BLOCKS = 0;
    static final int STATFS_BFREE = 8;
    static final int STATFS_BAVAIL = 16;
    static final int STATFS_FILES = 24;
    static final int STATFS_FFREE = 32;
    static final int STATFS_BSIZE = 40;
    static final int STATFS_NAMELEN = 44;
    static final int STATFS_FRSIZE = 48;
    static final int STATFS_LENGTH = 80;

    /** st_blksize: the kernel takes it for the inode's block size, which may not exceed a page. */
    static final int PREFERRED_IO_BYTES = 4096;

    private static final long NS_PER_S = 1_000_000_000L;

    private AttrLayout() {}

    static void putAttr(MemorySegment out, long at, Attributes attr) {
        Wire.putU64(out, at + INO, attr.ino());
        Wire.putU64(out, at + SIZE, attr.size());
        Wire.putU64(out, at + BLOCKS, attr.blocks());
        putTime(out, at + ATIME, at + ATIMENSEC, attr.atimeNs());
        putTime(out, at + MTIME, at + MTIMENSEC, attr.mtimeNs());
        putTime(out, at + CTIME, at + CTIMENSEC, attr.ctimeNs());
        Wire.putU32(out, at + MODE, attr.mode());
        Wire.putU32(out, at + NLINK, attr.nlink());
        Wire.putU32(out, at + UID, attr.uid());
        Wire.putU32(out, at + GID, attr.gid());
        Wire.putU32(out, at + RDEV, attr.rdev());
        Wire.putU32(out, at + BLKSIZE, PREFERRED_IO_BYTES);
        Wire.putU32(out, at + FLAGS, 0);
    }

    static void putAttrOut(MemorySegment out, long at, Attributes attr, long ttlNs) {
        putTime(out, at + OUT_VALID, at + OUT_VALID_NSEC, ttlNs);
        Wire.putU32(out, at + OUT_VALID_NSEC + 4, 0);
        putAttr(out, at + OUT_ATTR, attr);
    }

    static void putEntry(MemorySegment out, long at, Attributes attr, long entryTtlNs, long attrTtlNs) {
        Wire.putU64(out, at + ENTRY_NODEID, attr.ino());
        Wire.putU64(out, at + ENTRY_GENERATION, 0);
        putTime(out, at + ENTRY_VALID, at + ENTRY_VALID_NSEC, entryTtlNs);
        putTime(out, at + ENTRY_ATTR_VALID, at + ENTRY_ATTR_VALID_NSEC, attrTtlNs);
        putAttr(out, at + ENTRY_ATTR, attr);
    }

    /** Seconds may be negative: the kernel casts them back to a signed type. Nanoseconds are 0..999,999,999. */
    static void putTime(MemorySegment out, long secondsAt, long nanosAt, long ns) {
        Wire.putU64(out, secondsAt, Math.floorDiv(ns, NS_PER_S));
        Wire.putU32(out, nanosAt, Math.floorMod(ns, (int) NS_PER_S));
    }

    /** Times that a signed 64-bit count of nanoseconds cannot hold become the nearest it can (years 1677 and 2262). */
    static long nanosOf(long seconds, int nanos) {
        long max = Long.MAX_VALUE / NS_PER_S;
        if (seconds >= max) {
            return Long.MAX_VALUE;
        }
        if (seconds <= -max) {
            return Long.MIN_VALUE;
        }
        return seconds * NS_PER_S + nanos;
    }
}
