package io.tesserafs.fabric.verbs;

/** How what an initiator has written becomes persistent at the target. */
enum FlushWay {
    /** A FLUSH of the range, which the target's device answers when it is. */
    DEVICE,
    /** A READ behind the writes: what has arrived is safe. */
    ORDER,
    /** The READ, and then a call, as the target's processor must write its caches back or sync. */
    CALL;

    /**
     * @param memoryOnly whether there is nothing to persist to
     * @param byDevice whether both devices do FLUSH
     * @param ownWrites whether all bytes of the range came by the queue pair that would carry the FLUSH: it speaks for no other
     * @param byTarget whether what has arrived may still be in caches that a loss of power takes
     */
    static FlushWay of(boolean memoryOnly, boolean byDevice, boolean ownWrites, boolean byTarget) {
        if (memoryOnly) {
            return ORDER;
        }
        if (byDevice && ownWrites) {
            return DEVICE;
        }
        return byTarget ? CALL : ORDER;
    }
}
