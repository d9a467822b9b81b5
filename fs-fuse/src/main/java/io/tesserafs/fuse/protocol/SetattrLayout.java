package io.tesserafs.fuse.protocol;

/**
 * struct fuse_setattr_in, 88 bytes.
 *
 * <pre>
 * 0 valid u32 | 4 padding | 8 fh | 16 size | 24 lock_owner | 32 atime | 40 mtime | 48 ctime (u64) | 56 atimensec | 60 mtimensec
 * | 64 ctimensec | 68 mode | 72 unused | 76 uid | 80 gid | 84 unused (u32)
 * </pre>
 */
final class SetattrLayout {
    static final int VALID = 0;
    static final int FH = 8;
    static final int SIZE = 16;
    static final int ATIME = 32;
    static final int MTIME = 40;
    static final int CTIME = 48;
    static final int ATIMENSEC = 56;
    static final int MTIMENSEC = 60;
    static final int CTIMENSEC = 64;
    static final int MODE = 68;
    static final int UID = 76;
    static final int GID = 80;
    static final int LENGTH = 88;

    private SetattrLayout() {}
}
