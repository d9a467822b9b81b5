package io.tesserafs.fuse;

import java.lang.foreign.MemorySegment;

/**
 * One kernel request and its single answer. A request belongs to the reader thread that received it until it is
 * answered or detached; a detached request belongs to whoever holds it. Not thread-safe.
 *
 * <p>Replies that give the kernel a reference (entry, create, open) return false when the kernel had withdrawn the request
 * (interrupted): the reference was not taken and the callee undoes its side. Time to live is in nanoseconds, 0 for "ask again".
 */
public interface Request {
    long unique();

    int uid();

    int gid();

    /** The calling thread in the daemon's pid namespace; 0 if it has none there, and for the kernel's own work. */
    int pid();

    /**
     * Takes the request off its reader thread, which goes on with a fresh buffer. Payload segments stay valid until the
     * answer. Bounded: waits for a free buffer when the limit of detached requests is reached.
     */
    void detach();

    /** The caller got a signal while it waits. A waiting handler should then answer EINTR soon. */
    boolean interrupted();

    /** Runs {@code action} once, on any thread, when the request is interrupted; at once if it was already. */
    void onInterrupt(Runnable action);

    void replyError(int errno);

    void replyOk();

    boolean replyEntry(Attributes attr, long entryTtlNs, long attrTtlNs);

    /** "No such name", and the kernel may remember that for {@code entryTtlNs}. */
    void replyNoEntry(long entryTtlNs);

    void replyAttr(Attributes attr, long attrTtlNs);

    /** {@code flags}: FOPEN_* of linux/fuse.h, see {@link OpenFlags}. */
    boolean replyOpen(long fh, int flags);

    boolean replyCreate(Attributes attr, long entryTtlNs, long attrTtlNs, long fh, int flags);

    /** Bytes of a symbolic link. */
    void replyBytes(byte[] bytes);

    /** Answers with the value, its length when {@code size} is 0, or ERANGE when it does not fit. */
    void replyXattr(byte[] value, int size);

    /** Bytes written or copied. */
    void replyWritten(int count);

    void replyOffset(long offset);

    /** The lock that is in the way of the one asked about. */
    void replyLock(FileLock lock);

    void replyIoctl(int result, byte[] out);

    void replyStatfs(
            long blocks,
            long free,
            long available,
            long files,
            long freeFiles,
            int blockSize,
            int nameMax,
            int fragmentSize);

    /**
     * Scatter/gather answer to a READ, without copying: adds {@code length} bytes at {@code offset} of {@code memory}, which
     * must be native memory that stays mapped and unchanged in meaning until {@link #replyData()} returns. At most
     * {@link #MAX_DATA_PARTS} parts.
     */
    void addData(MemorySegment memory, long offset, int length);

    /** Takes back what was added: the answer is put together anew. */
    void clearData();

    /** Adds {@code length} zero bytes (a hole). */
    void addZeros(int length);

    /** Sends what was added, in order; nothing added answers "end of file". */
    void replyData();

    /** More parts than a 1 MiB request can touch, holes between tiles included. */
    int MAX_DATA_PARTS = 16;

    /** Prepares the answer to readdir: add entries until add returns false, then call {@link Directory#reply()}. */
    Directory directory(int size, boolean plus);

    /** The entries of one READDIR or READDIRPLUS answer. */
    interface Directory {
        /**
         * Adds an entry without attributes; in plus mode the kernel takes no reference to it. Used for "." and "..".
         *
         * @param nextCookie where to go on after this entry
         * @param type DT_* value, which is {@code mode >> 12}
         * @return false when it does not fit any more; the answer is unchanged then
         */
        boolean add(byte[] name, long ino, int type, long nextCookie);

        /** Adds an entry with attributes; in plus mode each one added that is not "." or ".." is one more reference. */
        boolean add(byte[] name, Attributes attr, long nextCookie, long entryTtlNs, long attrTtlNs);

        /** False if the kernel had withdrawn the request: no references were taken. */
        boolean reply();
    }
}
