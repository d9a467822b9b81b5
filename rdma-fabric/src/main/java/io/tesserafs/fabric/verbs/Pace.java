package io.tesserafs.fabric.verbs;

/**
 * Whether to spin for what is waited for, or to sleep at once: learnt from how long it took before. Used without order by all who wait: an
 * update that is lost does no harm.
 */
final class Pace {
    /** What usually takes longer is worth a system call; what takes longer this time is given that long before it. */
    static final long SPIN_NS = 50_000;

    /** Of so many times one spins even if it seems useless, to find out whether it still is. */
    private static final int TRIAL_PERIOD = 64;

    /** Weight of what is known against what comes, in the average. */
    private static final int AVERAGE_OF = 8;

    private long usualNs;
    private int waits;

    boolean isSpinningWorthwhile() {
        return usualNs <= SPIN_NS || waits++ % TRIAL_PERIOD == 0;
    }

    void took(long ns) {
        usualNs += (ns - usualNs) / AVERAGE_OF;
    }
}
