package io.tesserafs.coherence.token;

import io.tesserafs.fabric.brick.SessionId;
import java.util.HashSet;
import java.util.Set;

/**
 * How much more than what is asked for a session should get of a resource that others hold. One that works its way through what others no longer use
 * gets twice as much each time, so that a file of any length costs it few messages. Where two take the same ranges from each other, each gets
 * what it asks for and no more, so that pages that only lie side by side stay where they are.
 */
final class Foresight {
    /** What has to be saved first should not take long, and few messages per GiB are few enough. */
    static final long MAX_BYTES = 64L << 20;

    /** After a fight so many requests get no more than they ask for; twice as many after the next one. */
    private static final int FIRST_PENALTY = 64;

    private static final int MAX_PENALTY = 1 << 14;

    private final Set<SessionId> gainers = new HashSet<>(2);
    private long bytes;
    private int exactLeft;
    private int penalty = FIRST_PENALTY;

    /** What a session may have around a request that takes nothing from anybody: a power of two, or 0. */
    long bytes() {
        return exactLeft > 0 ? 0 : bytes;
    }

    /**
     * A request takes something from others.
     *
     * @param losers who have it now
     * @return how much they should be asked for together with it: a power of two, or 0 for no more than it wants
     */
    long taking(SessionId gainer, Set<SessionId> losers, long wantedBytes) {
        if (losers.stream().anyMatch(gainers::contains)) {
            gainers.clear();
            bytes = 0;
            exactLeft = penalty;
            penalty = Math.min(2 * penalty, MAX_PENALTY);
        }
        gainers.add(gainer);
        if (exactLeft > 0) {
            exactLeft--;
            return 0;
        }
        long now = bytes;
        bytes = Math.min(MAX_BYTES, 2 * Math.max(now, Long.highestOneBit(wantedBytes)));
        if (bytes == MAX_BYTES) {
            penalty = FIRST_PENALTY; // what was fought over is history
        }
        return now;
    }
}
