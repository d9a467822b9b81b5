package io.tesserafs.fuse;

/** FOPEN_* of linux/fuse.h: how the kernel treats an open handle. */
public final class OpenFlags {
    /** Bypass the page cache for this handle. */
    public static final int DIRECT_IO = 1;
    /** Keep what the page cache holds of this inode. */
    public static final int KEEP_CACHE = 1 << 1;
    /** Not seekable. */
    public static final int NONSEEKABLE = 1 << 2;
    /** Cache the entries of this directory. */
    public static final int CACHE_DIR = 1 << 3;
    /** Do not send FLUSH on close. */
    public static final int NOFLUSH = 1 << 5;
    /** Direct writes of one inode may run in parallel. Not passed on to kernels where {@link FuseSession#awaitWriteback} would wait for them. */
    public static final int PARALLEL_DIRECT_WRITES = 1 << 6;

    private OpenFlags() {}
}
