package io.tesserafs.fabric.tcp;

/**
 * Notices that this process stood still: it was not scheduled, or the machine was not. Silence of that time says nothing about a peer. Times are
 * nanoseconds of the monotonic clock. Not thread-safe.
 */
final class StandStill {
    private final long intervalNs;
    private long lastNs;

    /** @param intervalNs between two looks */
    StandStill(long intervalNs, long nowNs) {
        this.intervalNs = intervalNs;
        this.lastNs = nowNs;
    }

    /** What was missed since the last look; 0 if less than another interval was. */
    long lookNs(long nowNs) {
        long missed = nowNs - lastNs - intervalNs;
        lastNs = nowNs;
        return missed > intervalNs ? missed : 0;
    }
}
