package io.tesserafs.node.data;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Relocations under way of a volume that is mounted here. They end, each after the window that it is at, before the mount does. Thread-safe. */
final class Movers {
    private static final Logger LOG = LoggerFactory.getLogger(Movers.class);

    /** One that waits for a node that hangs, gets on when that is fenced. */
    private static final long END_WAIT_NS = TimeUnit.MINUTES.toNanos(2);

    /** Guarded by this, as is the next. */
    private int running;

    private boolean ended;

    synchronized void enter() throws FsException {
        check();
        running++;
    }

    synchronized void exit() {
        running--;
        notifyAll();
    }

    /** Between two windows. */
    synchronized void check() throws FsException {
        if (ended) {
            throw new FsException(Errno.EIO, "the volume is being unmounted");
        }
    }

    /** None begins or goes on when it returns. */
    synchronized void end() {
        ended = true;
        long deadline = System.nanoTime() + END_WAIT_NS;
        try {
            while (running > 0) {
                long leftNs = deadline - System.nanoTime();
                if (leftNs <= 0) {
                    LOG.warn("{} relocations do not end", running);
                    return;
                }
                TimeUnit.NANOSECONDS.timedWait(this, leftNs);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
