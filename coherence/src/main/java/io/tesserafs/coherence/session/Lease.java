package io.tesserafs.coherence.session;

import java.util.concurrent.TimeUnit;

/**
 * How long a node may believe in what it holds, by its own monotonic clock. Times are nanoseconds of that clock and are passed in;
 * this class reads none. Thread-safe.
 *
 * <p>Conservative on purpose: the term counts from when the renewal was <em>sent</em> (the owner cannot have received it earlier),
 * and ends a margin early (clocks of two machines may run at slightly different rates). The owner, for its part, waits term and
 * margin after it last heard of the node. So the node gives up strictly before the owner hands anything on.
 */
public final class Lease {
    private final long usableNs;
    private volatile long expiresAtNs;

    /**
     * @param termMs what the owner promises from each renewal on
     * @param marginMs by how much this node ends it earlier; less than the term
     * @param sentAtNs when the request was sent that made the lease
     */
    public Lease(long termMs, long marginMs, long sentAtNs) {
        if (marginMs < 0 || termMs <= marginMs) {
            throw new IllegalArgumentException("a margin of " + marginMs + " ms leaves nothing of " + termMs + " ms");
        }
        this.usableNs = TimeUnit.MILLISECONDS.toNanos(termMs - marginMs);
        this.expiresAtNs = sentAtNs + usableNs;
    }

    /**
     * The owner answered a renewal. Answers may overtake each other: one to an older renewal changes nothing.
     *
     * @return false if the lease had ended by {@code nowNs}: what was cached under it is gone for good, a late answer does not revive it
     */
    public synchronized boolean renewed(long sentAtNs, long nowNs) {
        if (!isValid(nowNs)) {
            return false;
        }
        long next = sentAtNs + usableNs;
        if (next - expiresAtNs > 0) {
            expiresAtNs = next;
        }
        return true;
    }

    /** Ends it at that time, if not sooner; unless it is {@link #renewed} before. */
    public synchronized void endBy(long atNs) {
        if (expiresAtNs - atNs > 0) {
            expiresAtNs = atNs;
        }
    }

    public boolean isValid(long nowNs) {
        return expiresAtNs - nowNs > 0; // a difference: System.nanoTime() may wrap
    }

    /** Time left, 0 if it ended. */
    public long remainingNs(long nowNs) {
        return Math.max(0, expiresAtNs - nowNs);
    }
}
