package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Hands what this node changed in a file to the volume's owner: as it is at close, durably at fsync and in the background. */
final class FileCommits {
    /** Extents in one commit; the owner's transactions are bounded. */
    private static final int MAX_EXTENTS = 2048;

    /** A tile as it was when the commit began. */
    private record Change(Tile tile, int validBytes) {}

    private record Flush(Tile tile, boolean retained, int from, int to) {
        FlushRange range() {
            return new FlushRange(tile.mapped.handle, (long) tile.base + from, to - from);
        }
    }

    private final VolumeService service;
    private final BlockMap blocks;
    private final DataCounters counters;
    /** Nothing to wait for: data is as durable in memory as it can get, so that every commit may call itself durable. */
    private final boolean homeFlushIsFree;

    FileCommits(VolumeService service, BlockMap blocks, DataCounters counters) {
        this.service = service;
        this.blocks = blocks;
        this.counters = counters;
        this.homeFlushIsFree = blocks.bricks().home().info().persistence() == BrickInfo.Persistence.NONE;
    }

    /**
     * Commits what has changed. {@code durable}: after flushing the data; the caller then syncs the owner's log.
     *
     * @throws FsException nothing was lost: the changes stay with the file and the next commit tries again
     */
    void commit(FileState file, boolean durable) throws FsException {
        if (!durable && !file.isDirty()) {
            return; // a durable commit must also wait for one under way, whose changes are not marked any more
        }
        file.commitLock.lock();
        try {
            commitLocked(file, durable);
        } finally {
            file.commitLock.unlock();
        }
    }

    /**
     * Before another node reads or writes what this one wrote: its bytes are durable, and the owner knows where they are. Times can wait for the next
     * commit, since they have a token of their own; so a page that is only written over costs no call.
     */
    void handOver(FileState file) throws FsException {
        file.commitLock.lock();
        try {
            if (hasNewExtents(file)) {
                file.attrChanged = true;
                commitLocked(file, true);
            } else {
                flushWritten(file);
            }
        } finally {
            file.commitLock.unlock();
        }
    }

    private static boolean hasNewExtents(FileState file) {
        long stamp = file.lock.readLock();
        try {
            if (!file.holes.isEmpty() || file.sizeChanged || file.clearSuidGid) {
                return true;
            }
            for (Tile tile : file.tiles.all()) {
                if (tile.changed || tile.committedLoosely) {
                    return true;
                }
            }
            return false;
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    private void flushWritten(FileState file) throws FsException {
        List<Flush> flushes = new ArrayList<>();
        long stamp = file.lock.writeLock();
        try {
            checkAlive(file, true);
            takeDirty(file, flushes);
        } finally {
            file.lock.unlockWrite(stamp);
        }
        boolean done = false;
        try {
            flush(flushes);
            done = true;
        } finally {
            if (!done) {
                flushes.forEach(f -> f.tile.dirty(f.from, f.to));
            }
            giveBack(flushes);
        }
    }

    private void takeDirty(FileState file, List<Flush> flushes) {
        for (Tile tile : file.tiles.all()) {
            long range = tile.takeDirty();
            if (range != 0) {
                // A handle that died since the check fails the flush, and everything is put back.
                flushes.add(new Flush(tile, blocks.retain(tile.ref, tile.mapped), (int) (range >>> 32), (int) range));
            }
        }
    }

    private void giveBack(List<Flush> flushes) {
        flushes.stream().filter(Flush::retained).forEach(f -> blocks.release(f.tile.ref, f.tile.mapped));
    }

    /** As {@link #commit}, for a caller that holds the commit lock. */
    void commitLocked(FileState file, boolean durableWanted) throws FsException {
        boolean durable = durableWanted || homeFlushIsFree && !blocks.bricks().hasOthers();
        if (!(file.attrChanged || file.clearSuidGid || file.loose && durable)) {
            return;
        }
        if (!durable) {
            checkNotLost(file);
        }
        List<Change> changes = new ArrayList<>();
        List<Flush> flushes = new ArrayList<>();
        long[] holes;
        DataCommit attributes;
        int sessions;
        long stamp = file.lock.writeLock();
        try {
            checkAlive(file, durable);
            sessions = file.sessionsLost;
            boolean later = false;
            for (Tile tile : file.tiles.all()) {
                if (tile.changed && tile.isCopy() && !tile.alive()) {
                    // Its brick may have lost it: until it is known, the owner has the tile at its old place.
                    later = true;
                } else if (tile.changed || durable && tile.committedLoosely) {
                    changes.add(new Change(tile, tile.validBytes));
                    tile.changed = false;
                    if (tile.state == Tile.State.RESERVED) {
                        tile.state = Tile.State.COMMITTING;
                    }
                }
            }
            if (durable) {
                takeDirty(file, flushes);
            }
            holes = file.holes.stream().mapToLong(Long::longValue).toArray();
            file.holes.clear();
            attributes = new DataCommit(
                    List.of(),
                    new long[0],
                    file.attrStale ? DataCommit.UNCHANGED : file.size,
                    file.mtimeChanged ? file.mtimeNs : DataCommit.UNCHANGED,
                    file.ctimeNs,
                    file.atimeChanged ? file.atimeNs : DataCommit.UNCHANGED,
                    durable,
                    file.takeClearSuidGid());
            file.committing = true;
            file.sizeChanged = false;
            file.mtimeChanged = false;
            file.atimeChanged = false;
            file.attrChanged = later;
            file.loose = file.loose && !durable;
        } finally {
            file.lock.unlockWrite(stamp);
        }
        boolean done = false;
        try {
            flush(flushes);
            send(file, sessions, changes, holes, attributes);
            done = true;
            counters.commits.increment();
        } finally {
            finish(file, sessions, changes, flushes, holes, attributes, done);
        }
    }

    /**
     * What need not be flushed can be committed without a handle, while its brick is away: it will have the bytes, or say that it has lost them. But not if it is
     * back and has. Waits for bricks of handles that are dead.
     */
    private void checkNotLost(FileState file) throws DeadTileException {
        for (Tile tile : changedAndDead(file)) {
            if (blocks.hasLost(tile.mapped)) {
                throw new DeadTileException(
                        tile, "brick " + tile.ref.brick() + " has lost what was written to block " + tile.ref.block());
            }
        }
    }

    private static List<Tile> changedAndDead(FileState file) {
        List<Tile> dead = List.of();
        long stamp = file.lock.readLock();
        try {
            for (Tile tile : file.tiles.all()) {
                if (tile.changed && !tile.alive() && !tile.isCopy()) {
                    dead = dead.isEmpty() ? new ArrayList<>() : dead;
                    dead.add(tile);
                }
            }
        } finally {
            file.lock.unlockRead(stamp);
        }
        return dead;
    }

    /**
     * Before anything is taken: what was written through a handle that died is saved later, through a new one, when it is known whether the brick still has it.
     */
    private static void checkAlive(FileState file, boolean durable) throws DeadTileException {
        for (Tile tile : file.tiles.all()) {
            if (durable && (tile.changed || tile.isDirty()) && !tile.alive()) {
                throw new DeadTileException(tile, "the handle to block " + tile.ref.block() + " is dead");
            }
        }
    }

    /** Each brick is asked once, or almost. */
    private static void flush(List<Flush> flushes) throws FsException {
        Map<BrickClient, List<Flush>> ofBricks = new LinkedHashMap<>();
        for (Flush flush : flushes) {
            ofBricks.computeIfAbsent(flush.tile.mapped.brick, b -> new ArrayList<>())
                    .add(flush);
        }
        for (Map.Entry<BrickClient, List<Flush>> one : ofBricks.entrySet()) {
            List<Flush> some = one.getValue();
            try {
                one.getKey().flushAll(some.stream().map(Flush::range).toList());
            } catch (BrickException e) {
                throw DeadTileException.of(
                        Tile.firstDead(some.stream().map(Flush::tile).toList()),
                        e); // it may have died since it was checked
            }
        }
    }

    private void send(FileState file, int sessions, List<Change> changes, long[] holes, DataCommit attributes)
            throws FsException {
        int change = 0;
        int hole = 0;
        InodeAttr result;
        do {
            List<Extent> extents = new ArrayList<>();
            while (change < changes.size() && extents.size() < MAX_EXTENTS) {
                Change next = changes.get(change++);
                extents.add(new Extent(next.tile.index, next.tile.ref, next.validBytes));
            }
            int take = Math.min(holes.length - hole, MAX_EXTENTS);
            long[] some = java.util.Arrays.copyOfRange(holes, hole, hole + take);
            hole += take;
            DataCommit part = new DataCommit(
                    extents,
                    some,
                    attributes.size(),
                    attributes.mtimeNs(),
                    attributes.ctimeNs(),
                    attributes.atimeNs(),
                    attributes.durable(),
                    attributes.clearSuidGid());
            if (file.sessionsLost != sessions) {
                throw new FsException(Errno.EIO, "the session ended, and with it what was to be committed");
            }
            result = ScopedValue.where(
                            VolumeService.IF_STILL_TRUE, () -> file.sessionsLost == sessions && isAllThere(changes))
                    .call(() -> service.commit(file.ino, part));
        } while (change < changes.size() || hole < holes.length);
        if (result.ino() != file.ino) {
            throw new IllegalStateException("commit of inode " + file.ino + " answered for " + result.ino());
        }
    }

    /** While a call waited for an owner, a host may have lost its memory, booted, and told the owner what of it nobody counts on. */
    private boolean isAllThere(List<Change> changes) {
        Set<BrickClient> asked = new HashSet<>();
        for (Change change : changes) {
            BlockMap.Mapped mapped = change.tile.mapped;
            if (asked.add(mapped.brick) && blocks.hasLost(mapped)) {
                return false;
            }
        }
        return true;
    }

    private void finish(
            FileState file,
            int sessions,
            List<Change> changes,
            List<Flush> flushes,
            long[] holes,
            DataCommit attributes,
            boolean done) {
        long stamp = file.lock.writeLock();
        try {
            if (file.sessionsLost != sessions) {
                return; // all of it was given up, and is nothing to the next session
            }
            for (Change change : changes) {
                Tile tile = change.tile;
                if (done) {
                    tile.state = Tile.State.COMMITTED;
                    tile.committedLoosely = !attributes.durable();
                } else if (tile.state == Tile.State.COMMITTING) {
                    tile.state = Tile.State.RESERVED;
                    if (!file.tiles.isCurrent(tile)) {
                        service.release(tile.ref); // replaced meanwhile, and the owner never got it
                    }
                }
            }
            if (!done) {
                changes.forEach(c -> c.tile.changed = true);
                flushes.forEach(f -> f.tile.dirty(f.from, f.to));
                for (long hole : holes) {
                    if (file.tiles.get(hole) == null) {
                        file.holes.add(hole);
                    }
                }
                file.attrChanged = true;
                file.sizeChanged |= attributes.size() != DataCommit.UNCHANGED;
                file.mtimeChanged |= attributes.mtimeNs() != DataCommit.UNCHANGED;
                file.atimeChanged |= attributes.atimeNs() != DataCommit.UNCHANGED;
                file.loose = true;
                if (attributes.clearSuidGid()) {
                    file.wantClearSuidGid();
                }
                file.mtimeNs = Math.max(file.mtimeNs, attributes.mtimeNs());
                file.atimeNs = Math.max(file.atimeNs, attributes.atimeNs());
            } else if (!attributes.durable() && !changes.isEmpty()) {
                file.loose = true;
            }
        } finally {
            file.committing = false; // last: others ask without the lock whether all is committed
            file.lock.unlockWrite(stamp);
            giveBack(flushes);
        }
    }
}
