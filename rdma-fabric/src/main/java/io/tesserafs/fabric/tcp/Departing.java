package io.tesserafs.fabric.tcp;

import java.util.Collection;
import java.util.List;

/** Lets go of the memory of handles that died, on threads of its own, and knows whether all of it is done. Thread-safe. */
final class Departing {
    /** Guarded by this. */
    private int underWay;

    /** Does not wait; {@code afterwards} runs when nobody reaches the handles' memory any more. */
    void letGo(Collection<RemoteHandle> dead, Runnable afterwards) {
        List<RemoteHandle> all = List.copyOf(dead);
        if (all.isEmpty()) {
            return;
        }
        synchronized (this) {
            underWay++;
        }
        Thread.startVirtualThread(() -> {
            try {
                all.forEach(RemoteHandle::letGo);
                afterwards.run();
            } finally {
                synchronized (this) {
                    underWay--;
                    notifyAll();
                }
            }
        });
    }

    /** Waits until all that was begun before is done. Each is a matter of operations that end by themselves. */
    synchronized void awaitDone() {
        boolean interrupted = false;
        while (underWay > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true; // a promise to the peer depends on it
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
