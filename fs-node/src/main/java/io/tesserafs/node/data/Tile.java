package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One tile of an open file and where its bytes are: in memory mapped here, or at the far end of a handle. {@code validBytes} and the
 * state change under the file's exclusive lock only; the dirty range under this object's monitor.
 */
final class Tile {
    /** What the owner knows of this place. */
    enum State {
        /** Given out by the owner, not committed: to be released if it is not used after all. */
        RESERVED,
        /** A commit that names it is under way. */
        COMMITTING,
        /** In the owner's extent map. */
        COMMITTED
    }

    /** Made when a tile that is far away is first zeroed. */
    private static final class Zeros {
        /** Memory that an RDMA device sends without a copy, if there is any; nobody writes to it. */
        static final MemorySegment PIECE =
                TransferMemory.allocate(64 << 10).fill((byte) 0).asReadOnly();

        /** As many as it takes, of which all but the last are the same memory. */
        static List<MemorySegment> parts(int bytes) {
            int pieces = bytes / (int) PIECE.byteSize();
            List<MemorySegment> parts = new ArrayList<>(Collections.nCopies(pieces, PIECE));
            parts.add(PIECE.asSlice(0, bytes % PIECE.byteSize()));
            return parts;
        }
    }

    final long index;
    final ExtentRef ref;
    final BlockMap.Mapped mapped;
    /** Null if the block is not mapped in this process. */
    final @Nullable MemorySegment memory;
    /** Offset of the tile's first byte in the block. */
    final int base;

    State state;
    int validBytes;
    /** The extent (its place or its valid bytes) differs from what was last committed. */
    boolean changed;
    /** Committed, but without its data having been flushed before. */
    boolean committedLoosely;

    /** See {@link #isCopy}; -1 of what is none. */
    private volatile int copiedBytes = -1;

    private int dirtyFrom = Integer.MAX_VALUE;
    private int dirtyTo;

    Tile(long index, ExtentRef ref, BlockMap.Mapped mapped, State state, int validBytes) {
        this.index = index;
        this.ref = ref;
        this.mapped = mapped;
        this.memory = mapped.memory;
        this.base = ref.offset();
        this.state = state;
        this.validBytes = validBytes;
    }

    int capacity() {
        return ref.bytes();
    }

    boolean alive() {
        return mapped.handle.alive();
    }

    /** Copies into the tile; the file's lock is held. */
    void write(int within, MemorySegment source, long sourceOffset, int length) throws FsException {
        MemorySegment near = memory;
        try {
            if (near == null) {
                mapped.handle.write((long) base + within, source, sourceOffset, length);
            } else {
                checkAlive();
                MemorySegment.copy(source, sourceOffset, near, (long) base + within, length);
            }
        } catch (BrickException e) {
            throw DeadTileException.of(this, e);
        } catch (IllegalStateException e) {
            throw takenAway();
        }
        dirty(within, within + length);
    }

    void read(int within, MemorySegment target, long targetOffset, int length) throws FsException {
        MemorySegment near = memory;
        try {
            if (near == null) {
                mapped.handle.read((long) base + within, target, targetOffset, length);
            } else {
                checkAlive();
                MemorySegment.copy(near, (long) base + within, target, targetOffset, length);
            }
        } catch (BrickException e) {
            throw DeadTileException.of(this, e);
        } catch (IllegalStateException e) {
            throw takenAway();
        }
    }

    /** Memory of a pool on this host that another process exports is unmapped when its handle dies. */
    private DeadTileException takenAway() {
        return new DeadTileException(this, "the memory of block " + ref.block() + " was taken back");
    }

    void zero(int from, int to) throws FsException {
        MemorySegment near = memory;
        if (near != null) {
            checkAlive();
            try {
                near.asSlice((long) base + from, to - from).fill((byte) 0);
            } catch (IllegalStateException e) {
                throw takenAway();
            }
            dirty(from, to);
            return;
        }
        checkAlive();
        dirty(from, to); // also if it fails: a part may have been zeroed
        try {
            mapped.brick.writeAll(List.of(new Transfer(mapped.handle, (long) base + from, Zeros.parts(to - from))));
        } catch (BrickException e) {
            throw DeadTileException.of(this, e);
        }
    }

    /** Mapped memory cannot be taken away, so who uses it looks first. */
    void checkAlive() throws FsException {
        if (!mapped.handle.alive()) {
            throw new DeadTileException(this, "the handle to block " + ref.block() + " is dead");
        }
    }

    /** Whether the owner has all of it, durably. */
    boolean isSettled() {
        return state == State.COMMITTED && !changed && !committedLoosely && !isDirty();
    }

    /** Its bytes are flushed, and those that the owner has at another place. Until the owner hears of this one, nothing is lost with it. */
    void setCopy() {
        copiedBytes = validBytes;
    }

    /** As the owner is going to do with what it has, or has done: so what was a copy still is one. */
    void cut(int bytes) {
        boolean wasCopy = isCopy();
        validBytes = bytes;
        if (wasCopy) {
            setCopy();
        }
    }

    /** Whether all of it is still at the place that the owner knows. */
    boolean isCopy() {
        return state == State.RESERVED && copiedBytes == validBytes;
    }

    /** Whether something of it would be lost with it. */
    boolean isUnsaved() {
        return isDirty() || changed && !isCopy();
    }

    /** Of some, of which one failed: the one whose handle died, as far as it is known. */
    static Tile firstDead(List<Tile> some) {
        return some.stream().filter(tile -> !tile.alive()).findFirst().orElse(some.getFirst());
    }

    /** What is not flushed or committed of this very place, which was reached through another handle before. Under the file's exclusive lock. */
    void takeOver(Tile before) {
        long range = before.takeDirty();
        if (range != 0) {
            dirty((int) (range >>> 32), (int) range);
        }
        if (before.changed) {
            changed = true;
            validBytes = before.validBytes;
        }
    }

    synchronized void dirty(int from, int to) {
        copiedBytes = -1;
        dirtyFrom = Math.min(dirtyFrom, from);
        dirtyTo = Math.max(dirtyTo, to);
    }

    synchronized boolean isDirty() {
        return dirtyFrom < dirtyTo;
    }

    /** Takes the dirty range, packed as from (upper half) and to; 0 if there is none. */
    synchronized long takeDirty() {
        if (dirtyFrom >= dirtyTo) {
            return 0;
        }
        long range = (long) dirtyFrom << 32 | dirtyTo;
        dirtyFrom = Integer.MAX_VALUE;
        dirtyTo = 0;
        return range;
    }
}
