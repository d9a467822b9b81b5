package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.FileTokens.LockedPages;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Moves extents of a file to another brick while applications use it, a window of tiles at a time: under the exclusive token of its tiles the bytes are copied and flushed, then the new
 * places are committed like those of a write. Who held the token knows by that that the old places are not to be used any more; who does not give it back is evicted and fenced before it
 * is granted. Until the commit each tile is where the owner says, and a new place that fails is given up; a crash leaves each tile at one place or the other.
 */
final class Relocation {
    /** What is copied and committed at once, and what others have to wait for. */
    private static final int WINDOW_TILES = 4;

    private static final long TURN_CHECK_MS = 100;

    /** Longer than a node that hangs holds anybody up. */
    private static final long MAX_TURN_WAIT_NS = TimeUnit.SECONDS.toNanos(60);

    /** One set for all, since there is little memory of this kind: windows of several relocations are copied one after the other. */
    private static final class Buffers {
        static final ReentrantLock TURN = new ReentrantLock();
        static final MemorySegment ALL = TransferMemory.allocate((long) WINDOW_TILES * BlockId.BLOCK_BYTES);

        /** For the valid bytes of a tile. */
        static MemorySegment of(int number, Tile tile) {
            return ALL.asSlice((long) number * BlockId.BLOCK_BYTES, tile.validBytes);
        }
    }

    private final NodeVolume volume;
    private final FileState file;
    private final BrickId to;
    private final int sessions;
    private long extents;
    private long bytes;
    private long staying;

    private Relocation(NodeVolume volume, FileState file, BrickId to) {
        this.volume = volume;
        this.file = file;
        this.to = to;
        this.sessions = file.sessionsLost;
    }

    /**
     * Moves the extents of tiles from {@code from} on that exist when it begins. If it throws, some of them may have moved.
     *
     * @param untilNs as {@link System#nanoTime}: it stops after the window that is under way then
     * @return how far it came, durably
     * @throws FsException EINVAL of what is no regular file, ENOENT of one that is deleted, ENOSPC if the brick is full, EIO if one of the bricks is away, or the session ends; EBUSY if other relocations do not get on
     */
    static Relocated run(NodeVolume volume, long ino, BrickId to, long from, long untilNs) throws FsException {
        volume.movers.enter();
        try {
            if (!volume.service.getattr(ino).isRegular()) {
                throw new FsException(Errno.EINVAL, "not a regular file");
            }
            FileState file = volume.files.acquire(ino);
            try {
                // Asked now: if its last name goes after this, the node says that it is not used only when it is not.
                if (volume.service.getattr(ino).nlink() == 0) {
                    throw new FsException(Errno.ENOENT, "the file is deleted");
                }
                Relocation relocation = new Relocation(volume, file, to);
                long next = relocation.run(from, untilNs);
                volume.service.sync();
                return new Relocated(relocation.extents, relocation.bytes, relocation.staying, next);
            } finally {
                volume.release(file);
            }
        } finally {
            volume.movers.exit();
        }
    }

    private long run(long from, long untilNs) throws FsException {
        long next = from;
        volume.save(file); // what was punched here may still be on a brick, for all the owner knows
        // Shared, so that every other node has told the owner of what it wrote so far, and may go on reading.
        List<Long> tiles = volume.access.withData(
                file,
                from << TileMap.TILE_SHIFT,
                FileTokens.TO_END,
                Mode.SHARED,
                LockedPages.NONE,
                () -> elsewhere(from, TileMap.TILES_END).stream()
                        .map(tile -> tile.index)
                        .toList());
        checkSession(); // with which the layout would have gone
        for (long tile : tiles) {
            if (tile < next) {
                continue;
            }
            if (next > from && System.nanoTime() - untilNs >= 0) {
                return tile;
            }
            volume.movers.check();
            next = Math.min(tile + WINDOW_TILES, TileMap.TILES_END);
            moveWindow(tile, next);
            checkSession();
        }
        return -1;
    }

    private void checkSession() throws FsException {
        if (file.sessionsLost != sessions) {
            throw new FsException(Errno.EIO, "the session ended");
        }
    }

    /** Tiles that are on other bricks, as far as is known here. */
    private List<Tile> elsewhere(long from, long end) {
        List<Tile> found = new ArrayList<>();
        long stamp = file.lock.readLock();
        try {
            for (Tile tile : file.tiles.all()) {
                if (tile.index >= from && tile.index < end && !tile.ref.brick().equals(to)) {
                    found.add(tile);
                }
            }
        } finally {
            file.lock.unlockRead(stamp);
        }
        return found;
    }

    private void moveWindow(long from, long end) throws FsException {
        Map<Long, Tile> places = new HashMap<>();
        try {
            awaitTurn(); // while nobody waits for this file
            try {
                for (Tile tile : elsewhere(from, end)) { // nobody does yet
                    checkSession();
                    places.put(tile.index, file.tiles.allocateOn(to, tile, this::giveBack));
                }
                staying += volume.access.withLane(
                        file,
                        () -> volume.access.withTiles(
                                file,
                                from << TileMap.TILE_SHIFT,
                                end << TileMap.TILE_SHIFT,
                                LockedPages.NONE,
                                () -> move(from, end, places)));
            } finally {
                Buffers.TURN.unlock();
            }
        } finally {
            for (Tile unused : places.values()) {
                file.tiles.unmap(unused); // first, as it may take long
                giveBack(unused.ref);
            }
        }
        volume.save(file);
    }

    /** Another relocation may wait for a node that hangs, or for an owner of another volume. */
    private void awaitTurn() throws FsException {
        long untilNs = System.nanoTime() + MAX_TURN_WAIT_NS;
        try {
            while (!Buffers.TURN.tryLock(TURN_CHECK_MS, TimeUnit.MILLISECONDS)) {
                volume.movers.check();
                checkSession();
                if (System.nanoTime() - untilNs >= 0) {
                    throw new FsException(Errno.EBUSY, "another file is being moved, and that does not get on");
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FsException(Errno.EINTR, "interrupted");
        }
    }

    /** After the session that reserved it the owner may have given the space to somebody else. */
    private void giveBack(ExtentRef unused) {
        long stamp = file.lock.readLock(); // so that no session ends meanwhile
        try {
            if (file.sessionsLost == sessions) {
                volume.service.release(unused);
            }
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    /**
     * Takes the places that it uses. A tile that has changed its size meanwhile stays where it is. Not while a commit is under way, which has taken changes out of
     * the file that may come back. Returns how many stay.
     */
    private int move(long from, long end, Map<Long, Tile> places) throws FsException {
        file.commitLock.lock();
        try {
            volume.commits.commitLocked(file, true); // so that, most likely, the owner has all of the tiles
            return replace(from, end, places);
        } finally {
            file.commitLock.unlock();
        }
    }

    private int replace(long from, long end, Map<Long, Tile> places) throws FsException {
        long stamp = file.lock.writeLock();
        try {
            checkSession();
            ExtentIo.checkFresh(file, from << TileMap.TILE_SHIFT, end - from << TileMap.TILE_SHIFT);
            List<Tile> old = new ArrayList<>(WINDOW_TILES);
            List<Tile> fresh = new ArrayList<>(WINDOW_TILES);
            int staying = 0;
            for (long index = from; index < end; index++) {
                Tile tile = file.tiles.get(index);
                if (tile == null || tile.ref.brick().equals(to)) {
                    continue;
                }
                Tile place = places.get(index);
                if (place == null || place.capacity() != tile.capacity()) {
                    staying++;
                } else {
                    old.add(tile);
                    fresh.add(place);
                    place.validBytes = tile.validBytes;
                }
            }
            copy(old, fresh);
            for (int i = 0; i < fresh.size(); i++) {
                Tile tile = fresh.get(i);
                tile.takeDirty(); // it is flushed
                if (old.get(i).isSettled()) {
                    tile.setCopy();
                }
                tile.changed = true;
                places.remove(tile.index); // it is in use from here on
                file.tiles.put(tile);
                bytes += tile.validBytes;
            }
            extents += fresh.size();
            file.attrChanged |= !fresh.isEmpty();
            file.settleCalm();
            return staying;
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    /** Through buffers that a device knows, so that what is far away takes one wait for each brick. Flushed when it returns. */
    private static void copy(List<Tile> from, List<Tile> into) throws FsException {
        Batches reads = new Batches(BrickClient::readAll);
        Batches writes = new Batches(BrickClient::writeAll);
        Batches flushes = new Batches((brick, written) -> brick.flushAll(written.stream()
                .map(range -> new FlushRange(range.handle(), range.offset(), range.bytes()))
                .toList()));
        for (int i = 0; i < from.size(); i++) {
            Tile source = from.get(i);
            if (source.memory == null) {
                reads.add(source, Buffers.of(i, source));
            } else {
                source.read(0, Buffers.of(i, source), 0, source.validBytes);
            }
        }
        reads.run();
        try {
            for (int i = 0; i < from.size(); i++) {
                Tile target = into.get(i);
                if (target.memory == null) {
                    writes.add(target, Buffers.of(i, target));
                } else {
                    target.write(0, Buffers.of(i, target), 0, target.validBytes);
                }
                flushes.add(target, Buffers.of(i, target));
            }
            writes.run();
            flushes.run();
        } catch (DeadTileException e) { // of the new place: the old one is as it was
            throw new FsException(e.errno(), String.valueOf(e.getMessage()));
        }
    }

    /** Of tiles, by the clients that reach them. */
    private static final class Batches {
        private interface Call {
            void run(BrickClient brick, List<Transfer> transfers) throws BrickException;
        }

        private record Batch(List<Tile> tiles, List<Transfer> transfers) {}

        private final Call call;
        private final Map<BrickClient, Batch> batches = new LinkedHashMap<>();

        Batches(Call call) {
            this.call = call;
        }

        /** From the tile's start. */
        void add(Tile tile, MemorySegment bytes) {
            if (bytes.byteSize() == 0) {
                return;
            }
            Batch batch = batches.computeIfAbsent(
                    tile.mapped.brick, brick -> new Batch(new ArrayList<>(), new ArrayList<>()));
            batch.tiles.add(tile);
            batch.transfers.add(new Transfer(tile.mapped.handle, tile.base, List.of(bytes)));
        }

        void run() throws FsException {
            for (Map.Entry<BrickClient, Batch> one : batches.entrySet()) {
                try {
                    call.run(one.getKey(), one.getValue().transfers);
                } catch (BrickException e) {
                    throw DeadTileException.of(Tile.firstDead(one.getValue().tiles), e);
                }
            }
        }
    }
}
