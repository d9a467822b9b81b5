package io.tesserafs.fabric.verbs;

import org.jspecify.annotations.Nullable;

/**
 * Of the bytes that went by a handle a range without gaps, which one queue pair wrote and nobody else since. What does not adjoin takes its place:
 * to know less only makes a flush slower. Pure; thread-safe.
 */
final class WrittenRange {
    /** Guarded by this, as is the rest. */
    private @Nullable Object queuePair;

    private long from;
    private long to;

    /** After bytes were written by it. */
    synchronized void wrote(Object by, long at, long length) {
        long end = at + length;
        if (by.equals(queuePair) && at <= to && end >= from) {
            from = Math.min(from, at);
            to = Math.max(to, end);
        } else {
            queuePair = by;
            from = at;
            to = end;
        }
    }

    /** Before bytes are written without a queue pair. */
    synchronized void forget() {
        queuePair = null;
    }

    synchronized boolean covers(Object by, long at, long length) {
        return by.equals(queuePair) && at >= from && at + length <= to;
    }
}
