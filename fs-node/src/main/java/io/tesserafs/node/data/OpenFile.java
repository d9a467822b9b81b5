package io.tesserafs.node.data;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** What one open(2) or opendir(2) made; {@code file} is null for a directory. */
final class OpenFile {
    final long ino;
    final @Nullable FileState file;
    final boolean writable;
    /** Open for reading and writing: what is mapped through it may be stored to. */
    final boolean mapsWritable;

    final boolean noAtime;
    /** Failures of the file that this handle has reported, or that happened before it was opened. */
    int failuresSeen;

    /** Locks that were taken through it and are lost, counted by owner: until they are released, what is read may be in the midst of a change. */
    private final AtomicInteger lostLocks = new AtomicInteger();

    OpenFile(long ino, @Nullable FileState file, boolean writable, boolean mapsWritable, boolean noAtime) {
        this.ino = ino;
        this.file = file;
        this.writable = writable;
        this.mapsWritable = mapsWritable;
        this.noAtime = noAtime;
        this.failuresSeen = file == null ? 0 : file.failures;
    }

    boolean hasLostLocks() {
        return lostLocks.get() > 0;
    }

    void countLostLocks(int change) {
        lostLocks.addAndGet(change);
    }
}
