package io.tesserafs.fuse;

/**
 * A running mount as the filesystem sees it: what INIT negotiated, and notifications to the kernel.
 *
 * <p>Notifications may wait for page locks or directory locks that a pending request holds. Never call them from a
 * request handler or with a lock held that a handler could need; use a platform thread of their own (waiting in the kernel
 * would pin a virtual thread's carrier, which the handlers may need). Thread-safe.
 */
public interface FuseSession {
    /** Protocol minor version in use (the major is 7). */
    int minor();

    /** Largest WRITE payload and READ size, in bytes. */
    int maxWriteBytes();

    /** FUSE_DIRECT_IO_ALLOW_MMAP (7.39): a handle opened with {@link OpenFlags#DIRECT_IO} can be mapped shared as well. */
    boolean mapsDirectHandles();

    /** FUSE_NOTIFY_INVAL_INODE. {@code length} 0 means to the end of the file; offset -1 invalidates attributes only. */
    void invalidateInode(long ino, long offset, long length);

    /**
     * After {@link #invalidateInode}, for pages that a mapping may have changed: returns when the kernel has nothing of the range under way to us any
     * more that it had begun to write before. Linux before 6.16 does not wait for that by itself; with others this is nothing. {@code to}
     * may be beyond the end of the file. What the kernel sends of it is answered without the filesystem.
     */
    void awaitWriteback(long ino, long from, long to);

    /**
     * The file is at least so long: tells a kernel that believes less, since a page fault beyond what it believes is a SIGBUS and asks nobody. By
     * FUSE_NOTIFY_STORE of a byte before that end; the page is to be invalidated after. The kernel waits for that page's lock.
     */
    void extend(long ino, long size);

    /** FUSE_NOTIFY_INVAL_ENTRY. */
    void invalidateEntry(long parent, byte[] name);

    /** Whether the kernel is new enough for {@link #incrementEpoch}. */
    boolean canIncrementEpoch();

    /**
     * FUSE_NOTIFY_INC_EPOCH (7.44 and later): every cached entry is looked up again on its next use.
     *
     * @return false if the kernel is too old for it
     */
    boolean incrementEpoch();
}
