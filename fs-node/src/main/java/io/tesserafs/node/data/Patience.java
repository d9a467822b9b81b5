package io.tesserafs.node.data;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.UnavailableException;
import java.util.concurrent.TimeUnit;

/**
 * For what an owner or a brick cannot do just now: how long it is tried again, and how often. Counted from the first failure, as much may have been waited for
 * before that. Used by one thread, for one request.
 */
final class Patience {
    /** A daemon that restarts is back by then, and a new owner has heard of the bricks. */
    static final long RESTART_NS = TimeUnit.SECONDS.toNanos(10);

    private static final long FIRST_PAUSE_MS = 5;
    private static final long LONGEST_PAUSE_MS = 500;

    private final long lengthNs;
    private boolean failed;
    private long deadlineNs;
    private long pauseMs = FIRST_PAUSE_MS;

    Patience(long lengthNs) {
        this.lengthNs = lengthNs;
    }

    /** @throws FsException the failure itself, if it has been tried for long enough */
    void check(FsException failure) throws FsException {
        long now = System.nanoTime();
        if (!failed) {
            failed = true;
            deadlineNs = now + lengthNs;
        }
        if (now - deadlineNs > 0) {
            throw failure;
        }
    }

    /** Before the next try. */
    void pause() throws FsException {
        try {
            Thread.sleep(pauseMs);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FsException(Errno.EINTR, "interrupted");
        }
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }

    /** Runs it again for as long as the owner says that it cannot do it yet. */
    static void untilAvailable(NodeVolume.Work work) throws FsException {
        Patience patience = new Patience(RESTART_NS);
        while (true) {
            try {
                work.run();
                return;
            } catch (UnavailableException e) {
                patience.check(e);
            }
            patience.pause();
        }
    }
}
