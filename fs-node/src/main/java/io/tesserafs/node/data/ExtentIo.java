package io.tesserafs.node.data;

import static io.tesserafs.node.data.TileMap.TILE_BYTES;
import static io.tesserafs.node.data.TileMap.TILE_SHIFT;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.MemorySegment;

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

    /** Answers a READ. Parts point into pool memory, so the file's lock is held until the reply is out. */
    static int read(FileState file, Request rq, long offset, int length) throws FsException {
        long stamp = readable(file);
        try {
            long end = Math.min(file.size, offset + length);
            for (long at = offset; at < end; ) {
                int within = (int) at & WITHIN;
                int n = (int) Math.min(end - at, TILE_BYTES - within);
                Tile tile = file.tiles.get(at >>> TILE_SHIFT);
                int valid = tile == null ? 0 : Math.clamp(tile.validBytes - within, 0, n);
                if (tile != null && valid > 0) {
                    rq.addData(tile.memory, (long) tile.base + within, valid);
                }
                if (valid < n) {
                    rq.addZeros(n - valid);
                }
                at += n;
            }
            rq.replyData();
            return (int) Math.max(0, end - offset);
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    /** The shared lock, with the layout loaded. */
    private static long readable(FileState file) throws FsException {
        long stamp = file.lock.readLock();
        if (!file.tiles.loaded()) {
            file.lock.unlockRead(stamp);
            long exclusive = file.lock.writeLock();
            try {
                file.tiles.load();
            } catch (FsException | RuntimeException e) {
                file.lock.unlockWrite(exclusive);
                throw e;
            }
            stamp = file.lock.tryConvertToReadLock(exclusive);
        }
        return stamp;
    }

    /**
     * Writes {@code length} bytes. Inside valid bytes this runs beside other readers and writers of the file.
     *
     * @return bytes written; fewer than asked only when space ran out in the middle
     */
    static int write(FileState file, long offset, MemorySegment source, long sourceOffset, int length, long nowNs)
            throws FsException {
        if (offset > MAX_FILE_BYTES - length) {
            throw new FsException(Errno.EFBIG, "beyond the largest file");
        }
        long stamp = readable(file);
        try {
            if (isValid(file, offset, length)) {
                copyIn(file, offset, source, sourceOffset, length);
                file.modified(nowNs);
                file.loose = true;
                return length;
            }
        } finally {
            file.lock.unlockRead(stamp);
        }
        long exclusive = file.lock.writeLock();
        try {
            return writeExclusive(file, offset, source, sourceOffset, length, nowNs);
        } finally {
            file.lock.unlockWrite(exclusive);
        }
    }

    private static boolean isValid(FileState file, long offset, int length) {
        if (offset + length > file.size) {
            return false;
        }
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
            if (tile == null || !tile.mapped.handle.alive()) {
                throw new FsException(Errno.EIO, "the block's handle is dead");
            }
            MemorySegment.copy(source, sourceOffset + at - offset, tile.memory, (long) tile.base + within, n);
            tile.dirty(within, within + n);
            at += n;
        }
    }

    /** The exclusive lock is held. */
    static int writeExclusive(
            FileState file, long offset, MemorySegment source, long sourceOffset, int length, long nowNs)
            throws FsException {
        file.tiles.load();
        int done = 0;
        try {
            while (done < length) {
                long at = offset + done;
                int within = (int) at & WITHIN;
                int n = Math.min(length - done, TILE_BYTES - within);
                Tile tile = provide(file, at >>> TILE_SHIFT, within + n);
                zeroGap(tile, within);
                copyIn(file, at, source, sourceOffset + done, n);
                validate(tile, within + n);
                done += n;
                file.size = Math.max(file.size, at + n);
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

    private static void zeroGap(Tile tile, int upTo) {
        if (tile.validBytes < upTo) {
            tile.memory
                    .asSlice((long) tile.base + tile.validBytes, upTo - tile.validBytes)
                    .fill((byte) 0);
            tile.dirty(tile.validBytes, upTo);
            tile.validBytes = upTo;
            tile.changed = true;
        }
    }

    /** The tile with room for {@code bytes}: as it is, new, or moved to a larger place. */
    private static Tile provide(FileState file, long index, int bytes) throws FsException {
        Tile tile = file.tiles.get(index);
        if (tile != null && tile.capacity() >= bytes) {
            return tile;
        }
        // Only the first tile of a file may be small: what grows past it is no small file.
        int room = index == 0 && file.size <= TILE_BYTES ? Math.max(bytes, ExtentRef.MIN_SLICE_BYTES) : TILE_BYTES;
        Tile larger = file.tiles.allocate(index, room);
        larger.changed = true;
        if (tile != null) {
            MemorySegment.copy(tile.memory, tile.base, larger.memory, larger.base, tile.validBytes);
            larger.validBytes = tile.validBytes;
            larger.dirty(0, tile.validBytes);
        }
        file.tiles.put(larger);
        file.holes.remove(index);
        file.attrChanged = true;
        return larger;
    }

    /** Reserves space for a range, so that writes into it cannot run out of it. The exclusive lock is held. */
    static void reserve(FileState file, long offset, long length) throws FsException {
        file.tiles.load();
        for (long at = offset; at < offset + length; ) {
            int within = (int) at & WITHIN;
            int n = (int) Math.min(offset + length - at, TILE_BYTES - within);
            provide(file, at >>> TILE_SHIFT, within + n);
            at += n;
        }
    }

    /** Makes a range read as zeros; whole tiles give their space back if {@code free}. The exclusive lock is held. */
    static void zero(FileState file, long offset, long length, boolean free) throws FsException {
        file.tiles.load();
        long end = length > MAX_FILE_BYTES - offset ? MAX_FILE_BYTES : offset + length;
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
                tile.changed |= from < tile.validBytes;
                tile.validBytes = Math.min(tile.validBytes, from);
            } else {
                tile.memory.asSlice((long) tile.base + from, to - from).fill((byte) 0);
                tile.dirty(from, to);
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
        for (Tile tile : file.tiles.all()) {
            long start = tile.index << TILE_SHIFT;
            if (start >= size) {
                file.tiles.remove(tile);
            } else if (tile.validBytes > size - start) {
                tile.validBytes = (int) (size - start);
                tile.changed = true;
            }
        }
        file.holes.removeIf(index -> index << TILE_SHIFT >= size);
        file.size = size;
    }

    /** SEEK_DATA or SEEK_HOLE. */
    static long seek(FileState file, long offset, boolean data) throws FsException {
        long stamp = readable(file);
        try {
            if (offset < 0 || offset >= file.size) {
                throw new FsException(Errno.ENXIO, "beyond the end");
            }
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
