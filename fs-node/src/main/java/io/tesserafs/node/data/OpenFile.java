package io.tesserafs.node.data;

import io.tesserafs.node.namespace.FsException;
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
    /** Failures of the file that fsync has reported: of this handle, or of any before this was opened. Guarded by this. */
    private int failuresTold;
    /** Those, and all that happened before it was opened. Guarded by this. */
    private int failuresPast;

    /** Locks that were taken through it and are lost, counted by owner: until they are released, what is read may be in the midst of a change. */
    private final AtomicInteger lostLocks = new AtomicInteger();

    OpenFile(long ino, @Nullable FileState file, boolean writable, boolean mapsWritable, boolean noAtime) {
        this.ino = ino;
        this.file = file;
        this.writable = writable;
        this.mapsWritable = mapsWritable;
        this.noAtime = noAtime;
        this.failuresTold = file == null ? 0 : file.failuresTold();
        this.failuresPast = file == null ? 0 : file.failures();
    }

    /**
     * For a close: fails if something could not be saved since the handle was opened, and fsync has not said so. Closing does not count as having said it: it
     * may be that of a process which has only inherited the descriptor, and closes it before it executes another program. And it says nothing of what
     * happened before: that is not this handle's, and those of Linux's own filesystems report nothing at all when a file is closed.
     */
    synchronized void failIfUnsaved() throws FsException {
        if (file != null && failuresPast != file.failures()) {
            throw failure(file);
        }
    }

    /**
     * For fsync: fails once if something could not be saved since the handle was opened, or before that and no fsync had said so. This is what Linux does, see
     * errseq_t.
     */
    synchronized void failOnceIfUnsaved() throws FsException {
        if (file == null) {
            return;
        }
        int failures = file.tellFailures();
        boolean told = failuresTold == failures;
        failuresTold = failures;
        failuresPast = failures;
        if (!told) {
            throw failure(file);
        }
    }

    private static FsException failure(FileState file) {
        return new FsException(file.lastFailure(), "an earlier commit failed");
    }

    boolean hasLostLocks() {
        return lostLocks.get() > 0;
    }

    void countLostLocks(int change) {
        lostLocks.addAndGet(change);
    }
}
