package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.Errno;
import java.util.LinkedHashSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What all operations of a volume's owner share: the lock, the state, and the way a transaction takes effect. Lock order: this lock is a leaf
 * but for the log's flush lock, which is taken before it.
 *
 * <p>An operation: {@link #begin}, check, write mutations to {@link #tx}, {@link #apply}, {@link #end}. Nothing changes before apply; apply
 * either does all or stops the owner.
 */
final class OwnerCore {
    /** No single transaction is larger; the log keeps at least this much room. */
    static final int MAX_TRANSACTION_BYTES = 192 << 10;

    /** The request that the running thread carries out, if it has a number. */
    static final ScopedValue<RequestTag> REQUEST = ScopedValue.newInstance();

    private static final int GRANT_LOW = 512;
    private static final int GRANT_STEP = 4096;

    /** Ends of sessions are rare; a call that is under way while so many others end is none any more. */
    private static final int MAX_ENDED = 1 << 16;

    private static final long ROOM_WAIT_MS = 10_000;
    private static final long MIN_ROOM_WAIT_NS = 100_000_000;

    final VolumeConfig config;
    final ReentrantLock lock = new ReentrantLock();
    /** Signalled by the keeper when a log segment or space was added, or could not be. */
    final Condition kept = lock.newCondition();

    final Tables tables;
    final Spaces spaces;
    final LogWriter log;
    final Mutations tx = new Mutations();

    /** Sessions whose requests change nothing any more, in the order of their ends. */
    private final LinkedHashSet<SessionId> ended = new LinkedHashSet<>();

    private volatile @Nullable String stopped;
    private volatile @Nullable Runnable onFailure;
    private @Nullable Runnable wakeKeeper;
    private @Nullable OwnerBlocks sequences;
    private @Nullable LogMirror mirror;
    private volatile boolean roomWaitsForManifest;

    OwnerCore(VolumeConfig config, Tables tables, Spaces spaces, LogWriter log) {
        this.config = config;
        this.tables = tables;
        this.spaces = spaces;
        this.log = log;
    }

    void wakeKeeperWith(Runnable action) {
        wakeKeeper = action;
    }

    void sequenceSource(OwnerBlocks source) {
        sequences = source;
    }

    void mirror(LogMirror copy) {
        mirror = copy;
    }

    /** Any thread, without the lock. */
    Space spaceOf(BrickId brick) {
        lock.lock();
        try {
            return spaces.of(brick);
        } finally {
            lock.unlock();
        }
    }

    /** Makes all that was logged before the call durable, in both copies; if that fails here, this owner is over. Without the lock. */
    void sync() throws FsException {
        checkRunning();
        LogMirror copy = mirror;
        try {
            log.flush(lock, copy == null ? (ranges, lsn) -> {} : copy);
        } catch (BrickException e) {
            stop("the log cannot be flushed: " + e.getMessage());
            throw new FsException(Errno.EIO, "the log cannot be flushed");
        }
    }

    void onFailure(Runnable action) {
        onFailure = action;
    }

    void wakeKeeper() {
        Runnable action = wakeKeeper;
        if (action != null) {
            action.run();
        }
    }

    /** No further operation: every one answers EIO. */
    void stop(String reason) {
        if (stopped == null) {
            stopped = reason;
            LogMirror copy = mirror;
            if (copy != null) {
                copy.stopped();
            }
            Runnable action = onFailure;
            if (action != null) {
                action.run();
            }
        }
    }

    boolean isStopped() {
        return stopped != null;
    }

    void checkRunning() throws FsException {
        String reason = stopped;
        if (reason != null) {
            throw new FsException(Errno.EIO, "the volume's owner has stopped: " + reason);
        }
    }

    /** For operations that change nothing. */
    void beginRead() throws FsException {
        lock.lock();
        if (stopped != null) {
            lock.unlock();
            checkRunning();
        }
    }

    /** Takes the lock and makes sure that the log has room for a transaction. Ends with {@link #end}, unless it throws. */
    void begin() throws FsException {
        lock.lock();
        boolean ready = false;
        try {
            checkRunning();
            if (!log.hasRoom(MAX_TRANSACTION_BYTES)) {
                awaitRoom();
            }
            tx.clear();
            grantSequences();
            ready = true;
        } finally {
            if (!ready) {
                lock.unlock();
            }
        }
    }

    /** Block ids are never used twice, so the log runs ahead of what is given out. The lock is held, and {@link #tx} is empty. */
    private void grantSequences() throws FsException {
        OwnerBlocks source = sequences;
        if (source != null && source.nextSequence() + GRANT_LOW > tables.nextBlock()) {
            tx.nextBlock(source.nextSequence() + GRANT_STEP);
            append(); // not what the request is about
        }
    }

    /** Before the first id of a term is given out, whoever gets it. The lock is held. */
    void noteSequences() throws FsException {
        tx.clear();
        grantSequences();
    }

    /** Ids for blocks, from between operations. The lock is held. */
    BlockId[] grant(int count) throws BrickException {
        OwnerBlocks source = sequences;
        if (source == null) {
            throw new IllegalStateException("no source of ids");
        }
        try {
            if (log.hasRoom(MAX_TRANSACTION_BYTES)) {
                tx.clear();
                grantSequences();
            }
        } catch (FsException e) {
            throw new BrickException(BrickException.Reason.IO, "no block ids: " + e.getMessage(), e);
        }
        if (source.nextSequence() + count > tables.nextBlock()) {
            throw new BrickException(
                    BrickException.Reason.NO_SPACE, "no block ids, for the log has no room to note them");
        }
        return source.grant(count);
    }

    /** There is space for the log, which lacks only being entered in the manifest: then the pool is not full, and operations wait. */
    void roomWaitsForManifest(boolean waits) {
        roomWaitsForManifest = waits;
    }

    private void awaitRoom() throws FsException {
        long leftNs = TimeUnit.MILLISECONDS.toNanos(ROOM_WAIT_MS);
        boolean interrupted = false;
        try {
            while (!log.hasRoom(MAX_TRANSACTION_BYTES)) {
                wakeKeeper();
                if (leftNs <= 0 && !roomWaitsForManifest) {
                    throw new FsException(Errno.ENOSPC, "no room for the volume's log");
                }
                try {
                    leftNs = kept.awaitNanos(Math.max(leftNs, MIN_ROOM_WAIT_NS));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
                checkRunning();
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Returns when what the operation did and saw may be told: that must not depend on this node alone, if there is a mirror. */
    void end() throws FsException {
        long seen = log.lastLsn();
        lock.unlock();
        LogMirror copy = mirror;
        if (copy != null) {
            copy.await(seen);
        }
    }

    /** When this returns, no request of the session takes effect any more, however long it has been under way. Waits for none. */
    void refuse(SessionId session) {
        lock.lock();
        try {
            ended.add(session);
            if (ended.size() > MAX_ENDED) {
                ended.removeFirst();
            }
        } finally {
            lock.unlock();
        }
    }

    /** As {@link #apply()}, for what no request asks for, though it may be the cause. */
    void applyUnasked() throws FsException {
        if (!tx.isEmpty()) {
            append();
        }
    }

    /** Logs what is in {@link #tx} and makes it true, unless the session that asks for it is over. Clears it. */
    void apply() throws FsException {
        apply(0, 0);
    }

    /** As {@link #apply()}; the inode and its links are what the next owner has to know to give the request's answer again. */
    void apply(long ino, int nlink) throws FsException {
        if (tx.isEmpty()) {
            return;
        }
        if (REQUEST.isBound()) {
            RequestTag tag = REQUEST.get();
            if (ended.contains(tag.session())) {
                throw new FsException(Errno.EIO, tag.session() + " is over");
            }
            tx.request(tag.session().value(), tag.number(), tag.answeredBelow(), new Applied(ino, nlink));
        }
        append();
    }

    private void append() throws FsException {
        int spares = log.spareCount();
        try {
            long lsn = log.append(tx.view());
            spaces.currentLsn(lsn);
            tables.apply(tx.view());
        } catch (BrickException e) {
            stop("the log cannot be written: " + e.getMessage());
            throw new FsException(Errno.EIO, "the log cannot be written");
        } catch (RuntimeException | Error e) {
            stop("a transaction could not be applied: " + e);
            throw e;
        }
        tx.clear();
        if (log.spareCount() != spares) {
            wakeKeeper();
        }
    }

    Inode inode(long ino) throws FsException {
        Inode inode = tables.inode(ino);
        if (inode == null) {
            throw new FsException(Errno.ENOENT, "no such inode");
        }
        return inode;
    }

    Inode directoryInode(long ino) throws FsException {
        Inode inode = inode(ino);
        if (!inode.isDirectory()) {
            throw new FsException(Errno.ENOTDIR, "not a directory");
        }
        return inode;
    }

    static Directory entries(Inode inode) {
        Directory directory = inode.directory();
        if (directory == null) {
            throw new IllegalStateException("directory inode " + inode.ino + " has no entries");
        }
        return directory;
    }
}
