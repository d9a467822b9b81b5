package io.tesserafs.node.namespace;

import io.tesserafs.fuse.Attributes;

/** Snapshot of an inode's attributes. */
public record InodeAttr(
        long ino,
        int mode,
        int nlink,
        int uid,
        int gid,
        int rdev,
        long size,
        long blocks,
        long atimeNs,
        long mtimeNs,
        long ctimeNs,
        long btimeNs)
        implements Attributes {
    public static final int S_IFMT = 0xF000;
    public static final int S_IFSOCK = 0xC000;
    public static final int S_IFLNK = 0xA000;
    public static final int S_IFREG = 0x8000;
    public static final int S_IFBLK = 0x6000;
    public static final int S_IFDIR = 0x4000;
    public static final int S_IFCHR = 0x2000;
    public static final int S_IFIFO = 0x1000;
    public static final int S_ISUID = 0x800;
    public static final int S_ISGID = 0x400;
    public static final int S_ISVTX = 0x200;
    public static final int S_IXGRP = 0x8;

    /** A mode after somebody without privilege has written or changed the owner: see chown(2). */
    public static int withoutSuidSgid(int mode) {
        int cleared = mode & ~S_ISUID;
        return (mode & S_IXGRP) != 0 ? cleared & ~S_ISGID : cleared;
    }

    /** A time that lies further ahead of a node's clock was not set by another node's writes, which arrive this late at most. */
    private static final long CLOCK_TOLERANCE_NS = 60_000_000_000L;

    /**
     * Nodes tell of their changes in any order, so the latest time counts; but one that was set to the future gives way.
     *
     * @param changedAtNs when {@code given} became the time, by the clock of the node that says so
     */
    public static long newer(long known, long given, long changedAtNs) {
        return given <= known && known - CLOCK_TOLERANCE_NS <= changedAtNs ? known : given;
    }

    public boolean isDirectory() {
        return (mode & S_IFMT) == S_IFDIR;
    }

    public boolean isRegular() {
        return (mode & S_IFMT) == S_IFREG;
    }
}
