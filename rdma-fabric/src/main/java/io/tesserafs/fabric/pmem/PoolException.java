package io.tesserafs.fabric.pmem;

import java.io.IOException;
import java.nio.file.Path;

/** A pool could not be created or opened. The message names the file and what is wrong with it; the file is as it was. */
public final class PoolException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Reason {
        /** CREATE where a file is. */
        EXISTS,
        /** OPEN where no file is. */
        NOT_FOUND,
        /** The requested size is below {@link Pool#MIN_BYTES} or above what the format holds. */
        BAD_SIZE,
        /** The backing filesystem cannot hold the whole pool. */
        NO_SPACE,
        /** Another process, or another part of this one, has the pool open. */
        IN_USE,
        /** Neither a regular file nor a device DAX, or without a pool's header. */
        NOT_A_POOL,
        /** A pool of another format version. */
        VERSION,
        /** Both copies of the header are damaged, or the header contradicts itself. */
        DAMAGED,
        /** Shorter than its header says. */
        TRUNCATED,
        /** The file has holes: a write could fail with SIGBUS when the disk is full. */
        SPARSE,
        /** Persistent memory that this JVM or processor cannot flush. */
        NOT_FLUSHABLE,
        /** The operating system refused. */
        IO
    }

    private final Reason reason;

    PoolException(Reason reason, Path file, String what) {
        super("pool " + file + ": " + what);
        this.reason = reason;
    }

    PoolException(Reason reason, Path file, String what, Throwable cause) {
        super("pool " + file + ": " + what, cause);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
