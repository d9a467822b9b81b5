package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** What the peer takes of our calls at a time, and how much of that is used. Thread-safe. */
final class CallCredits {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition freed = lock.newCondition();

    /** Guarded by lock, as are the next two. */
    private int calls;

    private int units;
    private boolean ended;

    CallCredits(CallLimits limits) {
        this.calls = limits.maxCalls();
        this.units = limits.windowUnits();
    }

    /** Waits until the peer takes another call of so many units. */
    void acquire(int wanted, long deadlineNs) throws PeerException {
        try {
            if (!lock.tryLock(deadlineNs - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                throw busy();
            }
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
        try {
            while (!ended && (calls < 1 || units < wanted)) {
                long leftNs = deadlineNs - System.nanoTime();
                if (leftNs <= 0 || freed.awaitNanos(leftNs) <= 0) {
                    throw busy();
                }
            }
            if (ended) {
                throw new PeerException(Reason.UNREACHABLE, "the connection ended before the call was sent");
            }
            calls--;
            units -= wanted;
        } catch (InterruptedException e) {
            throw interrupted(e);
        } finally {
            lock.unlock();
        }
    }

    private static PeerException busy() {
        return new PeerException(Reason.UNREACHABLE, "the peer is busy with earlier calls; this one was not sent");
    }

    private static PeerException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new PeerException(Reason.UNREACHABLE, "interrupted before the call was sent", e);
    }

    void release(int wanted) {
        lock.lock();
        try {
            calls++;
            units += wanted;
            freed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Nobody waits any more. */
    void end() {
        lock.lock();
        try {
            ended = true;
            freed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
