package io.tesserafs.fuse;

/** Attributes of an inode at one moment. */
public record AttributesRecord(
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
        implements Attributes {}
