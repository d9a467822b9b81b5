package io.tesserafs.node.data;

import java.util.LinkedHashMap;

/**
 * Of files that left the table: what could not be saved of them, and that no fsync has reported. Who opens such a file next and calls fsync hears of it. Memory
 * only, and bounded: the oldest are forgotten, as Linux forgets what it knows of inodes that it evicts. Thread-safe.
 */
final class UntoldFailures {
    /** After the end of a session in the midst of many small files. What is lost then is in the log as well. */
    static final int MAX_FILES = 1024;

    /** Errno by inode, oldest first. Guarded by this. */
    private final LinkedHashMap<Long, Integer> failures = new LinkedHashMap<>();

    /** As it mostly is: opening a file takes no lock then. */
    private volatile boolean empty = true;

    synchronized void remember(long ino, int errno) {
        failures.putLast(ino, errno);
        if (failures.size() > MAX_FILES) {
            failures.pollFirstEntry();
        }
        empty = false;
    }

    boolean isEmpty() {
        return empty;
    }

    /** What is remembered of the inode, which it is no more; 0 if nothing is. */
    int take(long ino) {
        return empty ? 0 : remove(ino);
    }

    private synchronized int remove(long ino) {
        Integer errno = failures.remove(ino);
        empty = failures.isEmpty();
        return errno == null ? 0 : errno;
    }
}
