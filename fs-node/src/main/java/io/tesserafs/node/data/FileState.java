package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.node.namespace.InodeAttr;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.StampedLock;

/**
 * One regular file that is open on this node, or was until its last changes are durable: its size and times, which are newer here than
 * at the owner, its tiles, and its tokens.
 *
 * <p>Locks, in order: {@code commitLock} (one commit, truncation or layout change at a time; held over calls to the owner and devices),
 * then {@code lock}: shared for reads and for writes inside what is valid, exclusive for whatever changes tiles, valid bytes or size. Lock order
 * between files: by inode number.
 */
final class FileState {
    final long ino;
    final FileTokens tokens;
    final TileMap tiles;
    final StampedLock lock = new StampedLock();
    final ReentrantLock commitLock = new ReentrantLock();

    /** Tiles whose committed extents shall go with the next commit. Guarded by lock's exclusive side. */
    final Set<Long> holes = new TreeSet<>();

    volatile long size;
    volatile long mtimeNs;
    volatile long ctimeNs;
    volatile long atimeNs;
    /** Size or times differ from what the owner has. */
    volatile boolean attrChanged;
    /** Some extent was committed without a flush of its data, or data was overwritten since. */
    volatile boolean loose;
    /** The next commit also clears suid and sgid. */
    volatile boolean clearSuidGid;
    /** A commit failed after close; the next fsync of every handle that was open then reports it. Counts failures. */
    volatile int failures;

    /** Handles open for writing. */
    volatile int writers;
    /** Open handles and passing users. Changed by the table under its map's lock. */
    int references;
    /** In the committer's set. */
    volatile boolean queued;

    FileState(InodeAttr attr, FileTokens tokens, TileMap tiles) {
        this.ino = attr.ino();
        this.tokens = tokens;
        this.tiles = tiles;
        adopt(attr);
    }

    /** Takes the owner's word for size and times. */
    void adopt(InodeAttr attr) {
        size = attr.size();
        mtimeNs = attr.mtimeNs();
        ctimeNs = attr.ctimeNs();
        atimeNs = attr.atimeNs();
    }

    /** While a node has a file open for writing, pages it reads may be dirtied unseen: so reads take EXCLUSIVE then. */
    Mode readMode() {
        return writers > 0 ? Mode.EXCLUSIVE : Mode.SHARED;
    }

    boolean isDirty() {
        return attrChanged || loose || clearSuidGid;
    }

    synchronized void countWriters(int change) {
        writers = writers + change;
    }

    synchronized void wantClearSuidGid() {
        clearSuidGid = true;
    }

    synchronized boolean takeClearSuidGid() {
        boolean wanted = clearSuidGid;
        clearSuidGid = false;
        return wanted;
    }

    synchronized void failed() {
        failures = failures + 1;
    }

    void modified(long nowNs) {
        mtimeNs = nowNs;
        ctimeNs = nowNs;
        attrChanged = true;
    }

    /** The owner's attributes with what is newer here. */
    InodeAttr overlay(InodeAttr attr) {
        long units;
        long stamp = lock.readLock();
        try {
            units = tiles.loaded() ? tiles.units() : attr.blocks();
        } finally {
            lock.unlockRead(stamp);
        }
        return new InodeAttr(
                attr.ino(),
                attr.mode(),
                attr.nlink(),
                attr.uid(),
                attr.gid(),
                attr.rdev(),
                size,
                units,
                Math.max(atimeNs, attr.atimeNs()),
                mtimeNs,
                Math.max(ctimeNs, attr.ctimeNs()),
                attr.btimeNs());
    }
}
