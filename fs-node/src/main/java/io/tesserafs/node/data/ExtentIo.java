package io.tesserafs.node.data;

import static io.tesserafs.node.data.TileMap.TILE_BYTES;
import static io.tesserafs.node.data.TileMap.TILE_SHIFT;

import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Bytes of an open file: reads without copying, writes with one copy. The caller has entered the file's tokens.
 *
 * <p>The invariant that keeps other files' bytes from showing: of a tile's memory only the first {@code validBytes} are ever read, and every path
 * that raises that number has written or zeroed what it covers.
 */
final class ExtentIo {
    /** Offsets are signed 64-bit; the extent map counts tiles in 42 bits. */
    static final long MAX_FILE_BYTES = Long.MAX_VALUE & -TILE_BYTES;

    private static final int WITHIN = TILE_BYTES - 1;

    private ExtentIo() {}

    /** Answered by {@link #tryRead} and {@link #tryOverwrite}: not without waiting. */
    static final int NOT_NOW = -1;

    /** Answered by reads: there is less than was asked for, as far as this node knows. */
    static final int SHORT = -2;

    /** A READ is staged here where a tile's bytes are not mapped; a reply is out before the thread serves the next. */
    private static final ThreadLocal<MemorySegment> STAGING = new ThreadLocal<>();

    /**
     * Answers a READ. Parts point into pool memory, so the file's lock is held until the reply is out.
     *
     * @param knowsEnd whether the size is exact; if not, and the file seems to end within the range, nothing is answered
     * @return bytes, or {@link #SHORT}
     */
    static int read(FileState file, Request rq, long offset, int length, boolean knowsEnd) throws FsException {
        return readLocked(file, rq, offset, length, file.lock.readLock(), knowsEnd);
    }

    /** As {@link #read}, unless somebody holds the file's lock who may wait for another host. */
    static int tryRead(FileState file, Request rq, long offset, int length, boolean knowsEnd) throws FsException {
        long stamp = file.lock.tryReadLock();
        return stamp == 0 ? NOT_NOW : readLocked(file, rq, offset, length, stamp, knowsEnd);
    }

    private static int readLocked(FileState file, Request rq, long offset, int length, long stamp, boolean knowsEnd)
            throws FsException {
        try {
            if (!knowsEnd && file.size < offset + length) {
                return SHORT;
            }
            long end = Math.min(file.size, offset + length);
            checkFresh(file, offset, end - offset);
            int staged = 0;
            for (long at = offset; at < end; ) {
                int within = (int) at & WITHIN;
                int n = (int) Math.min(end - at, TILE_BYTES - within);
                Tile tile = file.tiles.get(at >>> TILE_SHIFT);
                int valid = tile == null ? 0 : Math.clamp(tile.validBytes - within, 0, n);
                if (tile != null && valid > 0) {
                    staged += addData(rq, tile, within, valid, staged, length);
                }
                if (valid < n) {
                    rq.addZeros(n - valid);
                }
                at += n;
            }
            if (end < offset + length) {
                file.kernelMayBelieve(Math.max(end, 0));
            }
            rq.replyData();
            return (int) Math.max(0, end - offset);
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    /**
     * Under the file's lock. Who is inside a token when the session ends stays there, and what was known of the file is gone then: that there is no tile says
     * nothing any more.
     */
    static void checkFresh(FileState file, long offset, long length) throws FsException {
        if (!file.calm && length > 0) {
            long first = offset >>> TILE_SHIFT;
            if (!file.tiles.isFresh(first, (offset + length - 1 >>> TILE_SHIFT) + 1)) {
                throw new DeadTileException(first, "the layout is not known any more");
            }
        }
    }

    /** Returns how much of the staging memory it took. */
    private static int addData(Request rq, Tile tile, int within, int length, int staged, int most) throws FsException {
        MemorySegment near = tile.memory;
        if (near != null) {
            tile.checkAlive();
            rq.addData(near, (long) tile.base + within, length);
            return 0;
        }
        MemorySegment staging = STAGING.get();
        if (staging == null || staging.byteSize() < most) {
            staging = TransferMemory.allocate(Math.max(most, STAGING_BYTES));
            STAGING.set(staging);
        }
        tile.read(within, staging, staged, length);
        rq.addData(staging, staged, length);
        return length;
    }

    /** The usual READ. */
    private static final int STAGING_BYTES = 128 << 10;

    /**
     * Writes over what is valid already, if that can be done now; beside other readers and writers of the file.
     *
     * @return {@code length} or {@link #NOT_NOW}
     */
    static int tryOverwrite(FileState file, long offset, MemorySegment source, int length, long nowNs)
            throws FsException {
        long stamp = file.lock.tryReadLock();
        if (stamp == 0) {
            return NOT_NOW;
        }
        try {
            if (offset > MAX_FILE_BYTES - length || !isValid(file, offset, length)) {
                return NOT_NOW;
            }
            checkFresh(file, offset, length);
            copyIn(file, offset, source, 0, length);
            file.modified(nowNs);
            file.loose = true;
            return length;
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    /**
     * Writes {@code length} bytes. Inside valid bytes this runs beside other readers and writers of the file.
     *
     * @param whole no other node has a token on the file; else tiles that are touched become valid as wholes (see {@link #provide}), and unless
     *     {@link #hasTiles} the caller holds the token on them as wholes
     * @return bytes written; fewer than asked only when space ran out in the middle
     */
    static int write(FileState file, long offset, MemorySegment source, int length, long nowNs, boolean whole)
            throws FsException {
        if (offset > MAX_FILE_BYTES - length) {
            throw new FsException(Errno.EFBIG, "beyond the largest file");
        }
        long stamp = file.lock.readLock();
        try {
            checkFresh(file, offset, length);
            if (isValid(file, offset, length)) {
                copyIn(file, offset, source, 0, length);
                file.modified(nowNs);
                file.loose = true;
                return length;
            }
        } finally {
            file.lock.unlockRead(stamp);
        }
        long exclusive = file.lock.writeLock();
        try {
            return writeExclusive(file, offset, source, 0, length, nowNs, whole);
        } finally {
            file.lock.unlockWrite(exclusive);
        }
    }

    /** Whether every byte of the range is backed by valid bytes: a write there changes no tile. */
    static boolean hasTiles(FileState file, long offset, int length) {
        long stamp = file.lock.readLock();
        try {
            return tilesValid(file, offset, length);
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    private static boolean isValid(FileState file, long offset, int length) {
        return offset + length <= file.size && tilesValid(file, offset, length);
    }

    private static boolean tilesValid(FileState file, long offset, int length) {
        for (long at = offset; at < offset + length; ) {
            int within = (int) at & WITHIN;
            int n = (int) Math.min(offset + length - at, TILE_BYTES - within);
            Tile tile = file.tiles.get(at >>> TILE_SHIFT);
            if (tile == null || tile.validBytes < within + n) {
                return false;
            }
            at += n;
        }
        return true;
    }

    private static void copyIn(FileState file, long offset, MemorySegment source, long sourceOffset, int length)
            throws FsException {
        for (long at = offset; at < offset + length; ) {
            int within = (int) at & WITHIN;
            int n = (int) Math.min(offset + length - at, TILE_BYTES - within);
            Tile tile = file.tiles.get(at >>> TILE_SHIFT);
            if (tile == null) {
                throw new IllegalStateException("no tile at " + at + " of inode " + file.ino);
            }
            tile.write(within, source, sourceOffset + at - offset, n);
            at += n;
        }
    }

    /** The exclusive lock is held. */
    static int writeExclusive(
            FileState file, long offset, MemorySegment source, long sourceOffset, int length, long nowNs, boolean whole)
            throws FsException {
        int done = 0;
        try {
            while (done < length) {
                long at = offset + done;
                int within = (int) at & WITHIN;
                int n = Math.min(length - done, TILE_BYTES - within);
                Tile tile = provide(file, at >>> TILE_SHIFT, within + n, whole);
                zeroGap(tile, within);
                copyIn(file, at, source, sourceOffset + done, n);
                validate(tile, within + n);
                if (!whole) {
                    zeroGap(tile, TILE_BYTES);
                }
                done += n;
                file.grow(at + n);
            }
        } catch (FsException e) {
            if (done == 0 || e.errno() != Errno.ENOSPC) {
                throw e;
            }
        }
        file.modified(nowNs);
        file.loose = true;
        return done;
    }

    private static void validate(Tile tile, int validBytes) {
        if (validBytes > tile.validBytes) {
            tile.validBytes = validBytes;
            tile.changed = true;
        }
    }

    private static void zeroGap(Tile tile, int upTo) throws FsException {
        if (tile.validBytes < upTo) {
            tile.zero(tile.validBytes, upTo);
            tile.validBytes = upTo;
            tile.changed = true;
        }
    }

    /**
     * The tile with room for {@code bytes}: as it is, new, or moved to a larger place. Where other nodes use the file as well, it gets a whole block,
     * and then is made valid to its end: two nodes that write different pages of a tile must not zero each other's.
     */
    private static Tile provide(FileState file, long index, int bytes, boolean whole) throws FsException {
        checkFresh(file, index << TILE_SHIFT, bytes);
        Tile tile = file.tiles.get(index);
        if (tile != null && tile.capacity() >= (whole ? bytes : TILE_BYTES)) {
            return tile;
        }
        // Only the first tile of a file may be small: what grows past it is no small file.
        boolean small = whole && index == 0 && file.size <= TILE_BYTES;
        int room = small ? Math.max(bytes, ExtentRef.MIN_SLICE_BYTES) : TILE_BYTES;
        Tile larger = file.tiles.allocate(index, room);
        larger.changed = true;
        if (tile != null) {
            boolean moved = false;
            try {
                move(tile, larger);
                moved = true;
            } finally {
                if (!moved) {
                    file.tiles.giveBack(larger);
                }
            }
            larger.validBytes = tile.validBytes;
        }
        file.tiles.put(larger);
        file.holes.remove(index);
        file.attrChanged = true;
        file.settleCalm();
        return larger;
    }

    private static void move(Tile from, Tile to) throws FsException {
        MemorySegment near = from.memory;
        if (near != null) {
            from.checkAlive();
            to.write(0, near.asSlice(from.base, from.validBytes), 0, from.validBytes);
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(from.validBytes, 4096);
            from.read(0, copy, 0, from.validBytes);
            to.write(0, copy, 0, from.validBytes);
        }
    }

    /** Reserves space for a range, so that writes into it cannot run out of it. The exclusive lock is held. */
    static void reserve(FileState file, long offset, long length, boolean whole) throws FsException {
        List<Tile> fresh = new ArrayList<>();
        List<Long> punched = new ArrayList<>(0);
        boolean done = false;
        try {
            for (long at = offset; at < offset + length; ) {
                int within = (int) at & WITHIN;
                int n = (int) Math.min(offset + length - at, TILE_BYTES - within);
                long index = at >>> TILE_SHIFT;
                boolean wasHole = file.tiles.get(index) == null;
                boolean wasPunched = file.holes.contains(index);
                Tile tile = provide(file, index, within + n, whole);
                if (wasHole) {
                    fresh.add(tile);
                }
                if (wasPunched) {
                    punched.add(index); // of which the owner has not heard
                }
                if (!whole) {
                    zeroGap(tile, TILE_BYTES);
                }
                at += n;
            }
            done = true;
        } finally {
            if (!done) { // all of it or nothing: what was taken goes back
                fresh.forEach(file.tiles::remove);
                file.holes.addAll(punched);
                file.settleCalm();
            }
        }
    }

    /**
     * Gives the tiles in [from, to) that lie inside the file whole blocks, valid to their ends. Where nodes share a tile, it must be so
     * before any of them maps a page of it: writeback of that page cannot wait for the tile. The exclusive lock is held.
     */
    static void materialise(FileState file, long fromTile, long toTile) throws FsException {
        for (long index = fromTile; index < toTile && index << TILE_SHIFT < file.size; index++) {
            Tile tile = provide(file, index, TILE_BYTES, false);
            zeroGap(tile, TILE_BYTES);
            file.loose = true;
        }
    }

    /** Makes a range read as zeros; whole tiles give their space back if {@code free}. The exclusive lock is held. */
    static void zero(FileState file, long offset, long length, boolean free) throws FsException {
        long end = length > MAX_FILE_BYTES - offset ? MAX_FILE_BYTES : offset + length;
        checkFresh(file, offset, end - offset);
        for (Tile tile : file.tiles.all()) {
            long start = tile.index << TILE_SHIFT;
            int from = Math.clamp(offset - start, 0, TILE_BYTES);
            int to = Math.clamp(end - start, 0, TILE_BYTES);
            if (from >= to) {
                continue;
            }
            boolean whole = from == 0 && (to == TILE_BYTES || end >= file.size && to >= tile.validBytes);
            if (free && whole) {
                drop(file, tile);
            } else if (to >= tile.validBytes) {
                if (tile.isCopy()) {
                    tile.checkAlive(); // or it is at its old place again
                }
                tile.changed |= from < tile.validBytes;
                tile.validBytes = Math.min(tile.validBytes, from);
            } else {
                tile.zero(from, to);
            }
        }
        file.attrChanged = true;
        file.loose = true;
    }

    /** The tile becomes a hole, with the next commit also at the owner. */
    static void drop(FileState file, Tile tile) {
        file.tiles.remove(tile);
        file.holes.add(tile.index);
        file.attrChanged = true;
    }

    /** After the owner cut the file to {@code size}: the same here. The exclusive lock is held. */
    static void cut(FileState file, long size) {
        List<Tile> beyond = new ArrayList<>();
        for (Tile tile : file.tiles.all()) {
            long start = tile.index << TILE_SHIFT;
            if (start >= size) {
                beyond.add(tile);
            } else if (tile.validBytes > size - start) {
                tile.cut((int) (size - start));
            }
        }
        file.tiles.removeAll(beyond);
        file.holes.removeIf(index -> index << TILE_SHIFT >= size);
        file.size = size;
    }

    /** SEEK_DATA or SEEK_HOLE. */
    static long seek(FileState file, long offset, boolean data) throws FsException {
        long stamp = file.lock.readLock();
        try {
            if (offset < 0 || offset >= file.size) {
                throw new FsException(Errno.ENXIO, "beyond the end");
            }
            checkFresh(file, offset, file.size - offset);
            long at = offset;
            while (at < file.size) {
                Tile tile = file.tiles.get(at >>> TILE_SHIFT);
                long start = at & -TILE_BYTES;
                long dataEnd = tile == null ? start : start + tile.validBytes;
                if (at < dataEnd) {
                    if (data) {
                        return at;
                    }
                    at = dataEnd;
                    if ((at & WITHIN) != 0) {
                        return Math.min(at, file.size);
                    }
                } else {
                    if (!data) {
                        return at;
                    }
                    at = nextTile(file, at);
                }
            }
            if (data) {
                throw new FsException(Errno.ENXIO, "no data behind the offset");
            }
            return file.size;
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    /** Start of the next tile that exists, or the end of the file. */
    private static long nextTile(FileState file, long at) {
        long index = (at >>> TILE_SHIFT) + 1;
        long last = file.size - 1 >>> TILE_SHIFT;
        if (last - index < 64) {
            while (index <= last && file.tiles.get(index) == null) {
                index++;
            }
        } else { // a sparse file: its tiles are fewer than the gap
            long from = index;
            index = file.tiles.all().stream()
                    .mapToLong(t -> t.index)
                    .filter(i -> i >= from)
                    .min()
                    .orElse(last + 1);
        }
        return index > last ? file.size : index << TILE_SHIFT;
    }
}
