package io.tesserafs.fuse;

/**
 * A SETATTR request. Only fields whose bit is in {@code valid} mean anything; bits are FATTR_* of linux/fuse.h.
 *
 * @param fh handle, or {@link FileSystem#NO_HANDLE}
 * @param atimeNs as {@link Attributes}; the filesystem's clock where {@link #ATIME_NOW} is set (likewise mtime)
 */
public record SetAttr(
        int valid, long fh, int mode, int uid, int gid, long size, long atimeNs, long mtimeNs, long ctimeNs) {
    public static final int MODE = 1;
    public static final int UID = 1 << 1;
    public static final int GID = 1 << 2;
    public static final int SIZE = 1 << 3;
    public static final int ATIME = 1 << 4;
    public static final int MTIME = 1 << 5;
    public static final int FH = 1 << 6;
    public static final int ATIME_NOW = 1 << 7;
    public static final int MTIME_NOW = 1 << 8;
    public static final int LOCKOWNER = 1 << 9;
    public static final int CTIME = 1 << 10;
    public static final int KILL_SUIDGID = 1 << 11;

    public boolean has(int bit) {
        return (valid & bit) != 0;
    }
}
