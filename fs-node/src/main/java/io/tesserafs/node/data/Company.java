package io.tesserafs.node.data;

import java.util.concurrent.locks.StampedLock;

/**
 * Whether this node has the volume to itself. While it has, nobody else can change a name or an attribute, so the kernel may cache them without a
 * token each. Who relies on that holds a stamp, and the end of it waits for all stamps. Thread-safe; striped, so that requests do not
 * meet on one word.
 */
final class Company {
    static final long REFUSED = 0;

    private static final int STRIPES = 16;

    private final StampedLock[] stripes = new StampedLock[STRIPES];
    private volatile boolean alone;

    Company() {
        for (int i = 0; i < STRIPES; i++) {
            stripes[i] = new StampedLock();
        }
    }

    boolean isAlone() {
        return alone;
    }

    /** A stamp for {@link #exitAlone} on the same thread, or REFUSED if others may be there. */
    long enterAlone() {
        if (!alone) {
            return REFUSED;
        }
        StampedLock stripe = stripe();
        long stamp = stripe.tryReadLock();
        if (stamp != 0 && !alone) {
            stripe.unlockRead(stamp);
            return REFUSED;
        }
        return stamp;
    }

    void exitAlone(long stamp) {
        stripe().unlockRead(stamp);
    }

    void startBeingAlone() {
        alone = true;
    }

    /** Returns when nobody relies on it any more. What the kernel was told until then is to be invalidated. */
    void stopBeingAlone() {
        alone = false;
        for (StampedLock stripe : stripes) {
            stripe.unlockWrite(stripe.writeLock());
        }
    }

    private StampedLock stripe() {
        return stripes[(int) (Thread.currentThread().threadId() & STRIPES - 1)];
    }
}
