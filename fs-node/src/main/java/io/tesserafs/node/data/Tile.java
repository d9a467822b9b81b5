package io.tesserafs.node.data;

import io.tesserafs.node.namespace.ExtentRef;
import java.lang.foreign.MemorySegment;

/**
 * One tile of an open file and where its bytes are. {@code validBytes} and the state change under the file's exclusive lock only; the dirty
 * range under this object's monitor.
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

    final long index;
    final ExtentRef ref;
    final BlockMap.Mapped mapped;
    final MemorySegment memory;
    /** Offset of the tile's first byte in the block. */
    final int base;

    State state;
    int validBytes;
    /** The extent (its place or its valid bytes) differs from what was last committed. */
    boolean changed;
    /** Committed, but without its data having been flushed before. */
    boolean committedLoosely;

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

    synchronized void dirty(int from, int to) {
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
