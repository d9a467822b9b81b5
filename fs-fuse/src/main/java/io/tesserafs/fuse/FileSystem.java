package io.tesserafs.fuse;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * An inode-based filesystem as the kernel sees it. One call per kernel request; each call answers its {@link Request}
 * exactly once, by one of its {@code reply} methods, either before it returns or, after {@link Request#detach()}, later
 * and from any thread.
 *
 * <p><b>Threads.</b> Calls come from several reader threads at once, for different and for the same inodes. A handler
 * that may wait (for I/O, for a token, for another node) must {@link Request#detach() detach} first and wait on a
 * thread of its own: the kernel needs a reader that is always free, or recalls deadlock.
 *
 * <p><b>Permissions.</b> The mount uses default_permissions: the kernel has checked mode bits and ownership before.
 *
 * <p><b>Arguments</b> are validated: names are 1..255 bytes without '/' and NUL, offsets and lengths are not negative,
 * sizes fit the negotiated maximum. A handle ({@code fh}) is whatever the filesystem answered to open; the filesystem
 * checks that it knows it. Exceptions that escape a handler are logged, counted and answered with EIO.
 *
 * <p>Names and values are fresh arrays that the callee may keep. {@code payload} segments live in the request's buffer
 * and are valid until the request is answered.
 */
public interface FileSystem {
    /** "No handle came with this request", where a handle is optional. */
    long NO_HANDLE = -1L;

    /** The root's node id. */
    long ROOT = 1L;

    /** The connection is up; what was negotiated is in {@code session}, which also sends notifications. */
    void started(FuseSession session);

    /** The mount is gone; no call follows. Flush what is dirty. */
    void stopped();

    void lookup(Request rq, long parent, byte[] name);

    /** The kernel dropped {@code count} references that earlier entry replies gave it. Has no answer. */
    void forget(long ino, long count);

    void getattr(Request rq, long ino, long fh);

    void setattr(Request rq, long ino, SetAttr change);

    void readlink(Request rq, long ino);

    void symlink(Request rq, long parent, byte[] name, byte[] target);

    /** Creates a file, device, fifo or socket by {@code mode}'s type bits; umask is applied already. */
    void mknod(Request rq, long parent, byte[] name, int mode, int rdev);

    void mkdir(Request rq, long parent, byte[] name, int mode);

    void unlink(Request rq, long parent, byte[] name);

    void rmdir(Request rq, long parent, byte[] name);

    /** {@code flags}: RENAME_NOREPLACE (1), RENAME_EXCHANGE (2), never both; others never get here (EINVAL). */
    void rename(Request rq, long parent, byte[] name, long newParent, byte[] newName, int flags);

    void link(Request rq, long ino, long newParent, byte[] newName);

    /** {@code flags} as of open(2), O_TRUNC included; {@code killSuidGid}: clear suid/sgid if this truncates. */
    void open(Request rq, long ino, int flags, boolean killSuidGid);

    /** Creates (or, without O_EXCL, opens) and opens in one step; answer with replyCreate. */
    void create(Request rq, long parent, byte[] name, int mode, int flags, boolean killSuidGid);

    /** O_TMPFILE: a regular file with no name, opened; answer with replyCreate. */
    void tmpfile(Request rq, long parent, int mode, int flags);

    /**
     * Hot path. Answer with replyData; short only at the end of the file.
     *
     * @param direct past the page cache. Otherwise the kernel holds the pages locked that the answer will fill; also if the handle was opened with
     *     {@link OpenFlags#DIRECT_IO}, for a mapping
     */
    void read(Request rq, long ino, long fh, long offset, int size, boolean direct);

    /**
     * Hot path. {@code fromCache}: writeback of mapped pages by the kernel (FUSE_WRITE_CACHE); {@code fh} is then a guess.
     * {@code killSuidGid}: the caller lacks the privilege to keep suid/sgid.
     *
     * @param offset with O_APPEND, where this host's kernel believes the end to be
     * @param direct past the page cache. Otherwise what is written is in the page cache already
     * @param openFlags of the file description as they are now (F_SETFL may have changed them)
     */
    void write(
            Request rq,
            long ino,
            long fh,
            long offset,
            MemorySegment payload,
            boolean direct,
            boolean fromCache,
            boolean killSuidGid,
            int openFlags);

    /**
     * One close(2) of possibly several for this handle. POSIX locks of {@code lockOwner} on the file end with it, through whichever handle it
     * took them.
     */
    void flush(Request rq, long ino, long fh, long lockOwner);

    /**
     * The last reference to the handle, mappings included, is gone.
     *
     * <p>Open file description locks end with it. The kernel does not say whose: it is the owner of locks that were taken through this handle and that
     * no flush has named.
     *
     * @param flockOwner whose flock lock ends, or null if the handle never had one
     */
    void release(Request rq, long ino, long fh, @Nullable Long flockOwner);

    /** True if locks are to come here; otherwise the kernel keeps them itself, for this host only. Asked once, before INIT is answered. */
    boolean handlesLocks();

    /** F_GETLK: answer with replyLock. {@code lock} is not UNLOCKED, nor one of flock. */
    void getlk(Request rq, long ino, long fh, FileLock lock);

    /**
     * Locks or unlocks; EAGAIN if another owner is in the way. With {@code wait} it waits instead, detached, until it has the lock, or EINTR
     * when {@link Request#onInterrupt interrupted}.
     */
    void setlk(Request rq, long ino, long fh, FileLock lock, boolean wait);

    void fsync(Request rq, long ino, long fh, boolean dataOnly);

    void opendir(Request rq, long ino, int flags);

    /** Answer through {@link Request#directory}; {@code plus}: each entry with its attributes and one more reference. */
    void readdir(Request rq, long ino, long fh, long cookie, int size, boolean plus);

    void releasedir(Request rq, long ino, long fh);

    void fsyncdir(Request rq, long ino, long fh, boolean dataOnly);

    void statfs(Request rq, long ino);

    /** {@code flags}: XATTR_CREATE (1), XATTR_REPLACE (2). {@code clearSgid}: an ACL change that must drop setgid. */
    void setxattr(Request rq, long ino, byte[] name, byte[] value, int flags, boolean clearSgid);

    /** {@code size} 0 asks for the length only. Use {@link Request#replyXattr}. */
    void getxattr(Request rq, long ino, byte[] name, int size);

    /** Names, each followed by NUL. Use {@link Request#replyXattr}. */
    void listxattr(Request rq, long ino, int size);

    void removexattr(Request rq, long ino, byte[] name);

    /** {@code mode}: the FALLOC_FL_* bits of fallocate(2). */
    void fallocate(Request rq, long ino, long fh, long offset, long length, int mode);

    /** {@code whence}: SEEK_DATA (3) or SEEK_HOLE (4). Answer with replyOffset. */
    void lseek(Request rq, long ino, long fh, long offset, int whence);

    /** Answer with replyWritten and the number of bytes copied. */
    void copyFileRange(
            Request rq, long ino, long fh, long offset, long outIno, long outFh, long outOffset, long length);

    /** FS_IOC_* and our own; answer with replyIoctl, or ENOTTY. {@code in} is null when the ioctl carries no data. */
    void ioctl(Request rq, long ino, long fh, int command, @Nullable MemorySegment in, int outSize);

    /** The whole filesystem's sync (syncfs(2)). */
    void syncfs(Request rq, long ino);
}
