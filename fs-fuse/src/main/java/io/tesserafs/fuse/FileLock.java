package io.tesserafs.fuse;

/**
 * A lock that an application asks for, or that stands in its way: struct fuse_file_lock and what comes with it.
 *
 * @param owner the process (POSIX), or the open file description (open file description locks and flock), as the kernel calls it; any
 *     value. Locks of one owner do not conflict. Not of use in answers
 * @param type {@link #READ}, {@link #WRITE}, or {@link #UNLOCKED} to unlock, and in answers for "nothing in the way"
 * @param lastByte inclusive; Long.MAX_VALUE for "to the end of the file, wherever that is"
 * @param pid the process as the daemon's pid namespace knows it, 0 if it does not
 * @param flock a lock by flock(2), of the whole file; it conflicts with others of its kind only
 */
public record FileLock(long owner, int type, long firstByte, long lastByte, int pid, boolean flock) {
    /** F_RDLCK. */
    public static final int READ = 0;
    /** F_WRLCK. */
    public static final int WRITE = 1;
    /** F_UNLCK. */
    public static final int UNLOCKED = 2;

    public FileLock {
        if (type < READ || type > UNLOCKED || firstByte < 0 || firstByte > lastByte) {
            throw new IllegalArgumentException("lock of type " + type + " from " + firstByte + " to " + lastByte);
        }
    }
}
