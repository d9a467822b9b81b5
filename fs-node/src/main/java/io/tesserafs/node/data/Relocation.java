package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.FileTokens.LockedPages;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Moves extents of a file to another brick while applications use it, a window of tiles at a time: under the exclusive token of its tiles the bytes are copied, then the new places are
 * committed like those of a write. Who held the token knows by that that the old places are not to be used any more, and holds a handle that dies with their blocks; who does not give it
 * back is evicted and fenced before it is granted. A crash leaves each tile at one place or the other.
 */
final class Relocation {
    /** What is copied and committed at once, and what others have to wait for. */
    private static final int WINDOW_TILES = 4;

    private final NodeVolume volume;
    private final FileState file;
    private final BrickId to;
    private final List<MemorySegment> buffers = new ArrayList<>(WINDOW_TILES);
    private long extents;
    private long bytes;

    private Relocation(NodeVolume volume, FileState file, BrickId to) {
        this.volume = volume;
        this.file = file;
        this.to = to;
    }

    /**
     * Moves all extents of tiles from {@code from} on that exist when it begins. What it moved is durable when it returns, also if it throws.
     *
     * @param untilNs as {@link System#nanoTime}: it stops after the window that is under way then
     * @throws FsException EINVAL of what is no regular file, ENOSPC if the brick is full, EIO if one of the bricks is away
     */
    static Relocated run(NodeVolume volume, long ino, BrickId to, long from, long untilNs) throws FsException {
        if (!volume.service.getattr(ino).isRegular()) {
            throw new FsException(Errno.EINVAL, "not a regular file");
        }
        FileState file = volume.files.acquire(ino);
        try {
            Relocation relocation = new Relocation(volume, file, to);
            long next = relocation.run(from, untilNs);
            volume.service.sync();
            return new Relocated(relocation.extents, relocation.bytes, next);
        } finally {
            volume.release(file);
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
                () -> elsewhere(from));
        for (long tile : tiles) {
            if (tile < next) {
                continue;
            }
            if (next > from && System.nanoTime() - untilNs >= 0) {
                return tile;
            }
            next = tile + WINDOW_TILES;
            moveWindow(tile, next);
        }
        return -1;
    }

    /** Tiles that are on other bricks. */
    private List<Long> elsewhere(long from) {
        List<Long> found = new ArrayList<>();
        long stamp = file.lock.readLock();
        try {
            for (Tile tile : file.tiles.all()) {
                if (tile.index >= from && !tile.ref.brick().equals(to)) {
                    found.add(tile.index);
                }
            }
        } finally {
            file.lock.unlockRead(stamp);
        }
        return found;
    }

    private void moveWindow(long from, long end) throws FsException {
        volume.access.withLane(
                file,
                () -> volume.access.withTiles(
                        file,
                        from << TileMap.TILE_SHIFT,
                        end << TileMap.TILE_SHIFT,
                        LockedPages.NONE,
                        () -> move(from, end)));
        volume.save(file);
    }

    /** Returns how many were moved. */
    private int move(long from, long end) throws FsException {
        long stamp = file.lock.writeLock();
        try {
            ExtentIo.checkFresh(file, from << TileMap.TILE_SHIFT, end - from << TileMap.TILE_SHIFT);
            List<Tile> old = new ArrayList<>(WINDOW_TILES);
            for (long index = from; index < end; index++) {
                Tile tile = file.tiles.get(index);
                if (tile != null && !tile.ref.brick().equals(to)) {
                    old.add(tile);
                }
            }
            replace(old);
            return old.size();
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    /** All or none. The exclusive lock is held. */
    private void replace(List<Tile> old) throws FsException {
        List<Tile> fresh = new ArrayList<>(old.size());
        boolean done = false;
        try {
            for (Tile tile : old) {
                fresh.add(file.tiles.allocateOn(to, tile));
            }
            copy(old, fresh);
            done = true;
        } finally {
            if (!done) {
                fresh.forEach(file.tiles::giveBack);
            }
        }
        for (int i = 0; i < old.size(); i++) {
            Tile tile = fresh.get(i);
            tile.validBytes = old.get(i).validBytes;
            tile.changed = true;
            file.tiles.put(tile);
            bytes += tile.validBytes;
        }
        extents += old.size();
        file.attrChanged = true;
        file.loose = true;
        file.settleCalm();
    }

    /** Through buffers that a device knows, so that what is far away takes one wait for each brick. */
    private void copy(List<Tile> from, List<Tile> into) throws FsException {
        Batches reads = new Batches(BrickClient::readAll);
        Batches writes = new Batches(BrickClient::writeAll);
        for (int i = 0; i < from.size(); i++) {
            Tile source = from.get(i);
            if (source.memory == null) {
                reads.add(source, buffer(i, source));
            } else {
                source.read(0, buffer(i, source), 0, source.validBytes);
            }
        }
        reads.run();
        for (int i = 0; i < from.size(); i++) {
            Tile target = into.get(i);
            MemorySegment bytes = buffer(i, from.get(i));
            if (target.memory == null) {
                writes.add(target, bytes);
            } else {
                target.write(0, bytes, 0, from.get(i).validBytes);
            }
        }
        writes.run();
        for (int i = 0; i < from.size(); i++) {
            into.get(i).dirty(0, from.get(i).validBytes);
        }
    }

    /** Of tiles that are far away, by the clients that reach them. */
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

    /** What is valid of the tile, or will be. */
    private MemorySegment buffer(int number, Tile tile) {
        return buffer(number).asSlice(0, tile.validBytes);
    }

    private MemorySegment buffer(int number) {
        while (buffers.size() <= number) {
            buffers.add(TransferMemory.allocate(BlockId.BLOCK_BYTES));
        }
        return buffers.get(number);
    }
}
