package io.tesserafs.node.data;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.UnavailableException;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes dirty files durable every few seconds, so that no crash takes more than that. One thread. */
final class Committer {
    private static final Logger LOG = LoggerFactory.getLogger(Committer.class);

    private static final long PUT_OFF_PAUSE_MS = 100;

    private final NodeVolume volume;
    private final Semaphore stop = new Semaphore(0);
    private final Thread thread =
            Thread.ofPlatform().name("fs-committer").daemon(true).unstarted(this::run);

    Committer(NodeVolume volume) {
        this.volume = volume;
    }

    void start() {
        thread.start();
    }

    /** Ends the thread; then makes the rest durable. */
    void stop() {
        stop.release();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (!saveAll(Patience.RESTART_NS)) {
            LOG.warn("not all that was written could be saved before the end; bricks of other nodes may be away");
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** What became of the files of a round. */
    private enum Outcome {
        SAVED,
        /** Of some, bricks or the owner were away. */
        PUT_OFF,
        FAILED
    }

    /**
     * Rounds, as long as something may be saved soon.
     *
     * @param patienceNs for what a brick or the owner cannot do just now
     * @return whether all that was dirty at the call is durable, but for the owner's log
     */
    boolean saveAll(long patienceNs) {
        long deadline = System.nanoTime() + patienceNs;
        Outcome outcome = round();
        while (outcome == Outcome.PUT_OFF && System.nanoTime() - deadline < 0) {
            try {
                Thread.sleep(PUT_OFF_PAUSE_MS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
            outcome = round();
        }
        return outcome == Outcome.SAVED;
    }

    private void run() {
        try {
            while (!stop.tryAcquire(volume.options.commitIntervalMs() / 2, TimeUnit.MILLISECONDS)) {
                round();
            }
        } catch (InterruptedException e) {
            LOG.info("committer interrupted");
        }
    }

    /**
     * Every file that is dirty now becomes durable, or keeps its changes and reports the failure at its next fsync. One at a time: what another round has taken
     * out of the queue is done when this one begins.
     */
    private synchronized Outcome round() {
        Outcome all = Outcome.SAVED;
        boolean any = false;
        for (FileState file :
                List.copyOf(volume.files.queuedFiles())) { // what fails is queued again, for the next round
            volume.files.unqueue(file);
            if (!volume.files.retain(file)) {
                continue;
            }
            int sessions = file.sessionsLost;
            try {
                volume.commit(file, true, false);
                any = true;
            } catch (DeadTileException e) {
                all = all == Outcome.FAILED ? all : Outcome.PUT_OFF;
                LOG.debug("inode {}: commit put off: {}", file.ino, e.getMessage());
                volume.reviveSoon(file, e.tile());
            } catch (UnavailableException e) {
                all = all == Outcome.FAILED ? all : Outcome.PUT_OFF;
                LOG.debug("inode {}: commit put off: {}", file.ino, e.getMessage());
            } catch (FsException e) {
                all = Outcome.FAILED;
                file.failedIn(sessions, e.errno());
                volume.counters.commitFailures.increment();
                LOG.warn("inode {}: commit failed, trying again: {}", file.ino, e.getMessage());
            } catch (RuntimeException e) {
                all = Outcome.FAILED;
                file.failed(Errno.EIO);
                LOG.error("inode {}: commit failed", file.ino, e);
            } finally {
                volume.release(file);
            }
        }
        if (any) {
            try {
                volume.service.sync();
            } catch (FsException e) {
                LOG.warn("the owner's log could not be made durable: {}", e.getMessage());
                all = Outcome.FAILED;
            }
        }
        return all;
    }
}
