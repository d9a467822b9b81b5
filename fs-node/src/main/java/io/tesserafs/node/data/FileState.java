package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.InodeAttr;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.StampedLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One regular file that is open on this node, or was until its last changes are durable: its size and times, which are newer here than
 * at the owner, its tiles, and its tokens.
 *
 * <p>Locks, in order: {@code leaveLock} (one range of data on its way back), {@code commitLock} (one commit, truncation or layout change at a time; held over calls to the owner and devices),
 * then {@code lock}: shared for reads and for writes inside what is valid, exclusive for whatever changes tiles, valid bytes or size. Lock order
 * between files: by inode number.
 */
final class FileState {
    private static final Logger LOG = LoggerFactory.getLogger(FileState.class);

    final long ino;
    /** DATA. */
    final FileTokens tokens;
    /** ATTR. */
    final FileTokens attrTokens;

    final TileMap tiles;
    final PendingWrites pendingWrites = new PendingWrites();
    final StampedLock lock = new StampedLock();
    final ReentrantLock commitLock = new ReentrantLock();
    /** Before commitLock: ranges of the data are given back one after the other. */
    final ReentrantLock leaveLock = new ReentrantLock();
    /** When data could last not be handed over, as {@link System#nanoTime}; 0 for never. Under leaveLock. */
    long handOverFailedNs;

    /** Tiles whose committed extents shall go with the next commit. Guarded by lock's exclusive side. */
    final Set<Long> holes = new TreeSet<>();

    volatile long size;
    /** By this node, while there was no other: what it knows of it, it knows without a token. */
    volatile boolean madeAlone;
    /** What the kernel was told at least. */
    volatile long toldSize;
    /** What it believes at least: not that of an answer to a request that it sent before an invalidation. */
    volatile long believedSize;
    /** What it may have been told while {@code size} was less, or 0: the file has grown elsewhere, and this node was not asked to give anything up for it. */
    volatile long shownSize;

    volatile long mtimeNs;
    volatile long ctimeNs;
    volatile long atimeNs;
    /** Size or times differ from what the owner has. */
    volatile boolean attrChanged;
    /** The size is one of ours, and not committed. */
    volatile boolean sizeChanged;
    /** The modification time is one of ours, and not committed. */
    volatile boolean mtimeChanged;
    /** So is the access time. */
    volatile boolean atimeChanged;
    /** Changes are on their way to the owner, which may not know them yet. */
    volatile boolean committing;
    /**
     * The ATTR token was away since size and times were fetched: they must be fetched again under the token before they are relied on. Set while
     * nobody is inside that token.
     */
    volatile boolean attrStale = true;
    /** They were fetched under the ATTR token as a whole, so that no other node has changed them since. Otherwise the size may have grown elsewhere. */
    volatile boolean attrWhole;

    /** How often size, or size and times, were stale and then learned. Changed under the exclusive lock. */
    volatile int attrAdopted;

    /** Nothing of the layout is stale or far: I/O needs to ask nobody. */
    volatile boolean calm;
    /** Sessions with the owner that ended while this had something of them. Changed under the exclusive lock. */
    volatile int sessionsLost;
    /** Some extent was committed without a flush of its data, or data was overwritten since. */
    volatile boolean loose;
    /** The next commit also clears suid and sgid. */
    volatile boolean clearSuidGid;
    /**
     * How often something could not be saved. The next fsync of every handle that was open then reports it; or if no fsync has yet, of every handle that
     * is opened until one does.
     */
    private volatile int failures;
    /** An errno. */
    private volatile int lastFailure;
    /** No fsync has reported the last failure. Guarded by this. */
    private boolean untold;

    private final AtomicInteger filesUntold;

    /** The kernel may have cached pages of it. */
    volatile boolean pagesCached;

    /** Handles that allow a mapping to be written through: open for reading and writing. */
    volatile int writers;
    /** Handles for writing, with those for reading and writing. Under this, as is the next. */
    private int writeHandles;

    private boolean maybeMapped;
    private volatile long onlyWantedUntilNs;
    private volatile boolean fetchingOnlyWanted;
    /** Open handles and passing users. Changed by the table under its map's lock. */
    int references;
    /** In the committer's set. */
    volatile boolean queued;

    /** @param filesUntold counts files with a failure that nobody was told of */
    FileState(InodeAttr attr, FileTokens tokens, FileTokens attrTokens, TileMap tiles, AtomicInteger filesUntold) {
        this.filesUntold = filesUntold;
        this.ino = attr.ino();
        this.tokens = tokens;
        this.attrTokens = attrTokens;
        this.tiles = tiles;
        adopt(attr);
        toldSize = attr.size();
        believedSize = attr.size();
    }

    /** Takes the owner's word for size and times, except for times that were changed here and not committed. Under the exclusive lock. */
    void adopt(InodeAttr attr) {
        countAdoption();
        size = attr.size();
        toldSize = Math.min(toldSize, size); // if it was cut elsewhere, pages behind the end are gone here
        adoptTimes(attr);
    }

    /** The owner says that the file is that long. Under the exclusive lock. */
    void learn(long ofOwner) {
        if (attrStale) {
            countAdoption();
            size = ofOwner;
        } else {
            size = Math.max(size, ofOwner);
        }
    }

    /** The same while this node has its lane: then the file may have grown elsewhere, but was not cut. Under the exclusive lock. */
    void merge(InodeAttr attr) {
        size = Math.max(size, attr.size());
        mtimeNs = later(attr.mtimeNs(), mtimeNs, mtimeChanged);
        atimeNs = later(attr.atimeNs(), atimeNs, atimeChanged);
        ctimeNs = Math.max(ctimeNs, attr.ctimeNs());
    }

    /** What the owner said may be older than what it was told since; but a time in the future that is not ours may have given way. */
    private long later(long theirs, long known, boolean changed) {
        boolean ours = changed || committing;
        return !ours && known > WallClock.nowNs() ? theirs : InodeAttr.newer(theirs, known, ctimeNs);
    }

    /** What is being committed is still ours: the owner may not have had it when it said this. */
    private void adoptTimes(InodeAttr attr) {
        boolean ours = committing;
        mtimeNs = ours || mtimeChanged ? InodeAttr.newer(attr.mtimeNs(), mtimeNs, ctimeNs) : attr.mtimeNs();
        atimeNs = ours || atimeChanged ? InodeAttr.newer(attr.atimeNs(), atimeNs, ctimeNs) : attr.atimeNs();
        ctimeNs = ours || attrChanged ? Math.max(ctimeNs, attr.ctimeNs()) : attr.ctimeNs();
    }

    /** After any change to the layout, under the exclusive lock. */
    void settleCalm() {
        calm = tiles.loaded() && !tiles.hasFar();
    }

    /** While a node has a file open for writing, pages it reads may be dirtied unseen: so reads take EXCLUSIVE then. */
    Mode readMode() {
        return writers > 0 ? Mode.EXCLUSIVE : Mode.SHARED;
    }

    void fetchOnlyWanted(long untilNs) {
        onlyWantedUntilNs = untilNs;
        fetchingOnlyWanted = true;
    }

    /** Whether layout that nobody needs yet is left alone, since some of it is on a brick that was away a moment ago. */
    boolean fetchesOnlyWanted(long nowNs) {
        if (fetchingOnlyWanted && nowNs - onlyWantedUntilNs >= 0) {
            fetchingOnlyWanted = false;
        }
        return fetchingOnlyWanted;
    }

    boolean isDirty() {
        return attrChanged || loose || clearSuidGid;
    }

    /** Whether nothing is unsaved but when the file was read last: that gets lost without a word. Under the lock. */
    boolean hasOnlyBeenRead() {
        return !loose
                && !clearSuidGid
                && !mtimeChanged
                && !sizeChanged
                && holes.isEmpty()
                && tiles.all().stream().noneMatch(Tile::isUnsaved);
    }

    /** @param mapsWritable whether the handle is open for reading as well */
    synchronized void countWriteHandle(int change, boolean mapsWritable) {
        writeHandles += change;
        if (mapsWritable) {
            writers = writers + change;
        }
        maybeMapped = writeHandles > 0 && (maybeMapped || mapsWritable);
    }

    /**
     * The kernel may have changes of mapped pages that it has not written, or not got an answer to. It writes by any handle for writing, and releases
     * that only when it has.
     */
    synchronized boolean mayBeMapped() {
        return maybeMapped;
    }

    synchronized void wantClearSuidGid() {
        clearSuidGid = true;
    }

    synchronized boolean takeClearSuidGid() {
        boolean wanted = clearSuidGid;
        clearSuidGid = false;
        return wanted;
    }

    private synchronized void countAdoption() {
        attrAdopted = attrAdopted + 1;
    }

    synchronized void countLostSession() {
        sessionsLost = sessionsLost + 1;
    }

    /** Something could not be saved, and why. */
    synchronized void failed(int errno) {
        lastFailure = errno;
        failures = failures + 1;
        if (!untold) {
            untold = true;
            filesUntold.incrementAndGet();
        }
    }

    /**
     * The same, if the session has not ended since it was {@code sessions} that had: then all that was unsaved was given up with it, and that is what is reported.
     */
    synchronized void failedIn(int sessions, int errno) {
        if (sessionsLost == sessions) {
            failed(errno);
        }
    }

    int failures() {
        return failures;
    }

    int lastFailure() {
        return lastFailure;
    }

    /** Failures that fsync of a handle opened now has nothing to say about. */
    synchronized int failuresTold() {
        return untold ? failures - 1 : failures;
    }

    /** An fsync reports what there is. Returns how many failures that are. */
    synchronized int tellFailures() {
        if (untold) {
            untold = false;
            filesUntold.decrementAndGet();
        }
        return failures;
    }

    /** The errno of a failure that no fsync has reported, and that none will if the last writer has gone. Counts as reported then; else 0. */
    synchronized int tellIfClosed() {
        if (!untold || writeHandles > 0) {
            return 0;
        }
        tellFailures();
        return lastFailure;
    }

    synchronized boolean isOpenForWriting() {
        return writeHandles > 0;
    }

    /** The errno of a failure that no fsync has reported, else 0. */
    synchronized int untoldFailure() {
        return untold ? lastFailure : 0;
    }

    /** What the owner still has, as it has not heard of the holes. Under the exclusive lock. */
    void dropPunched() {
        for (long index : holes) {
            Tile tile = tiles.get(index);
            if (tile != null) {
                tiles.remove(tile);
            }
        }
    }

    /** Counts as a failure if bytes are known to be lost. Under the exclusive lock. */
    void sayWhatIsLost() {
        if (tiles.takeLost()) {
            LOG.warn("inode {}: bytes that were not flushed are lost with the memory of their brick's host", ino);
            failed(Errno.EIO);
        }
    }

    private synchronized void kernelWasTold(long size) {
        toldSize = Math.max(toldSize, size);
    }

    synchronized void kernelBelieves(long size) {
        believedSize = Math.max(believedSize, size);
    }

    /** It is told that the file ends there, and may believe it. */
    void kernelMayBelieve(long size) {
        if (believedSize > size) {
            lowerBelievedSize(size);
        }
    }

    private synchronized void lowerBelievedSize(long size) {
        believedSize = Math.min(believedSize, size);
    }

    /** The file reaches at least to there. Under the exclusive lock. */
    void grow(long end) {
        kernelWasTold(end);
        kernelBelieves(end);
        if (end > size) {
            size = end;
            sizeChanged = true;
        }
    }

    void modified(long nowNs) {
        mtimeNs = nowNs;
        ctimeNs = nowNs;
        mtimeChanged = true;
        attrChanged = true;
    }

    /** The owner's attributes with what is newer here. Exact if the ATTR token is held for reading. */
    InodeAttr overlay(InodeAttr attr) {
        long stamp = lock.readLock();
        try {
            boolean stale = attrStale;
            long shown = stale ? attr.size() : Math.max(size, attr.size());
            if (shown > toldSize) {
                kernelWasTold(shown);
            }
            kernelMayBelieve(shown);
            if (shown > size) {
                shownSize = shown;
            }
            return new InodeAttr(
                    attr.ino(),
                    clearSuidGid ? InodeAttr.withoutSuidSgid(attr.mode()) : attr.mode(),
                    attr.nlink(),
                    attr.uid(),
                    attr.gid(),
                    attr.rdev(),
                    shown,
                    tiles.loaded() ? tiles.units() : attr.blocks(),
                    atimeChanged || committing || !stale ? Math.max(atimeNs, attr.atimeNs()) : attr.atimeNs(),
                    mtime(attr, stale),
                    Math.max(ctimeNs, attr.ctimeNs()),
                    attr.btimeNs());
        } finally {
            lock.unlockRead(stamp);
        }
    }

    private long mtime(InodeAttr attr, boolean stale) {
        if (mtimeChanged) {
            return attrWhole ? mtimeNs : InodeAttr.newer(attr.mtimeNs(), mtimeNs, ctimeNs);
        }
        return stale && !committing ? attr.mtimeNs() : Math.max(mtimeNs, attr.mtimeNs());
    }
}
