package io.tesserafs.fabric.brick;

import java.util.concurrent.atomic.AtomicInteger;

/** Counts the operations under way through a handle, so that who kills it can wait for the last of them. Thread-safe. */
public final class OperationGate {
    /** Set in {@link #state} when dead; the bits below count the operations under way. */
    private static final int DEAD = Integer.MIN_VALUE;

    private final AtomicInteger state = new AtomicInteger();

    public boolean alive() {
        return state.get() >= 0;
    }

    /** Begins an operation; false if the handle is dead. Who got true calls {@link #exit}. */
    public boolean enter() {
        if (state.getAndIncrement() < 0) {
            exit();
            return false;
        }
        return true;
    }

    public void exit() {
        if (state.decrementAndGet() == DEAD) {
            synchronized (this) {
                notifyAll();
            }
        }
    }

    /** New operations fail from now on. Idempotent, does not wait. Returns false if it was dead before. */
    public boolean kill() {
        return state.getAndUpdate(s -> s | DEAD) >= 0;
    }

    /** After {@link #kill}: returns when no operation is under way. */
    public synchronized void awaitIdle() {
        boolean interrupted = false;
        while (state.get() != DEAD) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true; // operations end by themselves; to give up early would break the promise
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
