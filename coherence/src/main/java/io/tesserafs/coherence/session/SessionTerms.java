package io.tesserafs.coherence.session;

/**
 * For how long sessions live unheard. A node believes in its session for {@code termMs - marginMs} after it sent the last renewal that was answered; the owner
 * gives it up {@code termMs + marginMs} after it heard the last one. The margins cover clocks that run at different rates and a thread
 * that is scheduled late.
 */
public record SessionTerms(int termMs, int marginMs) {
    /**
     * A node outlives the death of an owner if the next one answers within the term; the others wait for a dead node for the term and a margin, and for its
     * fencing: below 10 s altogether.
     */
    public static final SessionTerms DEFAULT = new SessionTerms(7000, 500);

    /** No cluster has ZooKeeper drop a silent node's entries sooner than that. */
    public static final int MIN_MEMBERSHIP_MS = 4000;

    /** If ZooKeeper takes longer to drop a dead owner, sessions of those who live may end before there is another: what is left of a term is for its start. */
    public static final int MAX_SMOOTH_MEMBERSHIP_MS = 5000;

    /** Renewals that may be lost in a row. */
    private static final int RENEWALS_PER_TERM = 10;

    public SessionTerms {
        if (marginMs < 1 || termMs <= 2 * marginMs) {
            throw new IllegalArgumentException("a term of " + termMs + " ms with a margin of " + marginMs + " ms");
        }
    }

    public int renewEveryMs() {
        return termMs / RENEWALS_PER_TERM;
    }

    /** From the owner's last sign of a node until nothing of the session can be believed by anybody. */
    public int ownerWaitsMs() {
        return termMs + marginMs;
    }

    /**
     * From when an owner takes over until nothing is believed any more of the session that its predecessor's own node had, if ZooKeeper has dropped that node.
     * Such a session renews itself; but the node was last heard by ZooKeeper a membership's length before it was dropped, and a client that lives says
     * something every third of it, so the session was renewed for the last time two thirds of it before. A node that lives ends it sooner
     * ({@link #deposedMs}).
     */
    public int afterOwnerMs() {
        return Math.max(marginMs, termMs - MIN_MEMBERSHIP_MS * 2 / 3);
    }

    /** For how long a node that was deposed as owner may still believe in its own session, from when it knows. */
    public int deposedMs() {
        return Math.max(0, afterOwnerMs() - marginMs);
    }
}
