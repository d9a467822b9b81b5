package io.tesserafs.node.data;

import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.UnavailableException;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Commits of files that were closed while their owner is on another host, behind the back of who closed them: close promises nothing that only a commit
 * could keep. Tokens see to it that other nodes do not notice; and if this node dies first, what was written in the last moments is lost, as without
 * fsync it may be. But before a closed file gets another name it is committed: who writes a file, closes it and renames it over another counts on
 * finding one or the other. Thread-safe.
 */
final class LateCommits {
    private static final Logger LOG = LoggerFactory.getLogger(LateCommits.class);
    /** Calls to the owner that are under way for this. */
    private static final int THREADS = 2;
    /** Files that wait; who closes one more waits for its commit itself, so that nobody gets far ahead of the owner. */
    private static final int MAX_WAITING = 512;

    private static final long IDLE_S = 10;

    private final NodeVolume volume;
    private final ThreadPoolExecutor threads;
    /** Files that wait, and those that are being committed. */
    private final AtomicInteger left = new AtomicInteger();
    /** What could not be committed when its turn came. The committer tries again. */
    private final Set<FileState> putOff = ConcurrentHashMap.newKeySet();

    LateCommits(NodeVolume volume) {
        this.volume = volume;
        this.threads = new ThreadPoolExecutor(
                THREADS,
                THREADS,
                IDLE_S,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(MAX_WAITING),
                Thread.ofPlatform().name("fs-late-commit-", 0).daemon(true).factory());
        this.threads.allowCoreThreadTimeOut(true);
    }

    /** What is changed in the file now will be committed soon. False if too many wait already. */
    boolean add(FileState file) {
        if (!volume.files.retain(file)) {
            return true; // nothing is left of it
        }
        boolean added = false;
        left.incrementAndGet();
        try {
            threads.execute(() -> {
                commit(file);
                finished(file);
            });
            added = true;
        } catch (RejectedExecutionException e) {
            LOG.trace("too many commits wait, or this is the end", e);
        } finally {
            if (!added) {
                finished(file);
            }
        }
        return added;
    }

    private void finished(FileState file) {
        left.decrementAndGet();
        volume.release(file);
    }

    /** Nothing waits, nothing is under way, and nothing was put off that is not saved by now. */
    boolean isIdle() {
        if (!putOff.isEmpty()) {
            putOff.removeIf(file -> !file.isDirty() && !file.committing || volume.files.find(file.ino) != file);
        }
        return left.get() == 0 && putOff.isEmpty();
    }

    /**
     * Returns when this file is committed; also waits for a commit under way, and for bricks and owners that may be back soon.
     *
     * @throws FsException it cannot be committed now, and is closed
     */
    void commitNow(long ino) throws FsException {
        FileState file = volume.files.find(ino);
        if (file == null || !volume.files.retain(file)) {
            return; // nobody here has anything of it
        }
        try {
            volume.save(file);
        } catch (FsException e) {
            if (!file.isOpenForWriting()) { // else its writer will hear
                throw e;
            }
            LOG.debug("inode {}: not saved before it was renamed: {}", ino, e.getMessage());
        } finally {
            volume.release(file);
        }
    }

    private void commit(FileState file) {
        int sessions = file.sessionsLost;
        try {
            volume.commit(file, true, false); // durably, so that there is only one
        } catch (DeadTileException e) {
            putOff.add(file);
            volume.reviveSoon(file, e.tile());
        } catch (UnavailableException e) {
            putOff.add(file);
            LOG.debug("inode {}: commit put off: {}", file.ino, e.getMessage());
        } catch (FsException e) {
            putOff.add(file);
            file.failedIn(sessions, e.errno());
            volume.counters.commitFailures.increment();
            LOG.warn("inode {}: commit after close failed, trying again: {}", file.ino, e.getMessage());
        } catch (RuntimeException e) {
            file.failed(io.tesserafs.fuse.Errno.EIO);
            LOG.error("inode {}: commit after close failed", file.ino, e);
        }
    }

    /** Returns when all that was added is committed or left to the last commit. */
    void stop() {
        threads.shutdown();
        try {
            var _ = threads.awaitTermination(IDLE_S, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
