package io.tesserafs.node.data;

import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Copies between open files, memory to memory. Holes of the source become holes of the copy where the copy has nothing there yet. */
final class FileCopy {
    /** One answer; the kernel asks again for the rest. Bounds how long the two files stay locked. */
    private static final int MAX_BYTES = 64 << 20;

    private static final MemorySegment ZEROS = Arena.global().allocate(64 << 10, 4096);

    private FileCopy() {}

    /** Both files' tokens are held. Returns the bytes copied, 0 at the end of the source. */
    static int copy(FileState from, long offset, FileState to, long outOffset, long length, boolean whole)
            throws FsException {
        long fromStamp = 0;
        long toStamp = 0;
        if (from.ino < to.ino) {
            fromStamp = from.lock.writeLock();
            toStamp = to.lock.writeLock();
        } else {
            toStamp = to.lock.writeLock();
            fromStamp = from == to ? 0 : from.lock.writeLock();
        }
        try {
            long most = Math.min(Math.min(length, MAX_BYTES), from.size - offset);
            int done = 0;
            while (done < most) {
                int n = piece(from, offset + done, to, outOffset + done, (int) (most - done), whole);
                done += n;
                if (n == 0) {
                    break;
                }
            }
            return done;
        } finally {
            to.lock.unlockWrite(toStamp);
            if (from != to) {
                from.lock.unlockWrite(fromStamp);
            }
        }
    }

    private static int piece(FileState from, long at, FileState to, long outAt, int most, boolean whole)
            throws FsException {
        ExtentIo.checkFresh(from, at, 1);
        Tile tile = from.tiles.get(at >>> TileMap.TILE_SHIFT);
        int within = (int) at & TileMap.TILE_BYTES - 1;
        int n = Math.min(most, TileMap.TILE_BYTES - within);
        long now = WallClock.nowNs();
        if (tile != null && tile.validBytes > within) {
            n = Math.min(n, tile.validBytes - within);
            MemorySegment near = tile.memory;
            if (near != null) {
                tile.checkAlive();
                return ExtentIo.writeExclusive(to, outAt, near, (long) tile.base + within, n, now, whole);
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment copy = arena.allocate(n, 4096);
                tile.read(within, copy, 0, n);
                return ExtentIo.writeExclusive(to, outAt, copy, 0, n, now, whole);
            }
        }
        if (outAt >= to.size) {
            to.grow(outAt + n); // nothing there: it stays a hole
            to.modified(now);
            return n;
        }
        return ExtentIo.writeExclusive(to, outAt, ZEROS, 0, (int) Math.min(n, ZEROS.byteSize()), now, whole);
    }
}
