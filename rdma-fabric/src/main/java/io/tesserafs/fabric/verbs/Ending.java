package io.tesserafs.fabric.verbs;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;

/** An end that is made once, by the first who wants it; whoever else wants it returns no earlier. Thread-safe. */
final class Ending {
    private final AtomicBoolean begun = new AtomicBoolean();
    private final CountDownLatch done = new CountDownLatch(1);

    /** @param steps must not come back here */
    void run(Runnable steps) {
        if (begun.compareAndSet(false, true)) {
            try {
                steps.run();
            } finally {
                done.countDown();
            }
        } else {
            await();
        }
    }

    private void await() {
        boolean interrupted = false;
        while (true) {
            try {
                done.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true; // what is not over by then would still happen afterwards
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
