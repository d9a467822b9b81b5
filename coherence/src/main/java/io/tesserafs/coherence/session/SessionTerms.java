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
}
