package io.tesserafs.fabric.shm;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * One handle's view of a block in a pool that another process of this host owns.
 *
 * <p><b>What fencing means here.</b> The owner cannot take a mapping back from another process. When it kills a handle it says so, and
 * waits until this process has answered that it has let go, or is dead. Letting go is made sure of by the view's own arena: closing it
 * waits for every access under way through the view, and each later one fails with {@link IllegalStateException}. The only thing it
 * cannot stop is a system call that was given the bare address; such calls may read from the block, and never write to it.
 * A process that neither answers nor dies must be killed by the operator (or whoever watches over daemons): until it is, FENCE and
 * FREE fail with STILL_MAPPED, and the blocks are given to nobody else.
 */
public final class SharedBlock {
    private static final long CLOSE_RETRY_NS = TimeUnit.MICROSECONDS.toNanos(50);

    private final Pool pool;
    private final MemorySegment mapped;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment view;

    public SharedBlock(Pool pool, int index, Access access) {
        this.pool = pool;
        this.mapped = pool.block(index);
        MemorySegment mine = mapped.reinterpret(arena, null);
        this.view = access == Access.READ ? mine.asReadOnly() : mine;
    }

    public MemorySegment memory() {
        return view;
    }

    /** Of all that was written to the range in this process. The caller has checked it. */
    public void flush(long offset, long length) throws IOException {
        pool.flush(mapped.asSlice(offset, length));
    }

    /** When it returns nobody in this process reaches the block through {@link #memory()} any more. Not idempotent: once. */
    public void letGo() {
        while (true) {
            try {
                arena.close();
                return;
            } catch (IllegalStateException e) {
                if (!arena.scope().isAlive()) {
                    throw e;
                }
                LockSupport.parkNanos(CLOSE_RETRY_NS); // a system call is using the memory
            }
        }
    }
}
