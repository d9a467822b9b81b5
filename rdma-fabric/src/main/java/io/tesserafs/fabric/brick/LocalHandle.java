package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A handle to a block of a pool mapped here. Copies and flushes through it are counted while they run, so that {@link #awaitIdle}
 * can promise that none lands later. Users of {@link #memory()} are not: they are parts of the same daemon, which stops them
 * before it gives a handle up.
 */
final class LocalHandle implements BlockHandle {
    private final HandleKey key;
    private final LocalClient client;
    private final BlockId block;
    private final Access access;
    private final Pool pool;
    private final int index;
    private final MemorySegment memory;
    private final MemorySegment shown;
    private final OperationGate gate = new OperationGate();

    LocalHandle(HandleKey key, LocalClient client, BlockId block, Access access, Pool pool, int index) {
        this.key = key;
        this.client = client;
        this.block = block;
        this.access = access;
        this.pool = pool;
        this.index = index;
        this.memory = pool.block(index);
        this.shown = access == Access.READ ? memory.asReadOnly() : memory;
    }

    HandleKey key() {
        return key;
    }

    /** Of the block in the pool. */
    int index() {
        return index;
    }

    LocalClient client() {
        return client;
    }

    @Override
    public BlockId block() {
        return block;
    }

    @Override
    public BrickId brick() {
        return client.brick();
    }

    @Override
    public Access access() {
        return access;
    }

    @Override
    public boolean alive() {
        return gate.alive();
    }

    @Override
    public MemorySegment memory() {
        return shown;
    }

    @Override
    public void read(long offset, MemorySegment target, long targetOffset, long length) throws BrickException {
        enter();
        try {
            checkBounds(offset, length);
            MemorySegment.copy(memory, offset, target, targetOffset, length);
        } finally {
            exit();
        }
    }

    @Override
    public void write(long offset, MemorySegment source, long sourceOffset, long length) throws BrickException {
        enter();
        try {
            if (access != Access.READ_WRITE) {
                throw new BrickException(Reason.ACCESS, "write through a handle for reading, " + this);
            }
            checkBounds(offset, length);
            MemorySegment.copy(source, sourceOffset, memory, offset, length);
        } finally {
            exit();
        }
    }

    @Override
    public void flush(long offset, long length) throws BrickException {
        enter();
        try {
            checkBounds(offset, length);
            pool.flush(memory.asSlice(offset, length));
        } catch (BrickException e) {
            throw e;
        } catch (IOException e) {
            throw new BrickException(Reason.IO, this + ": " + e.getMessage(), e);
        } finally {
            exit();
        }
    }

    private void checkBounds(long offset, long length) throws BrickException {
        if (offset < 0 || length < 0 || offset > BlockId.BLOCK_BYTES - length) {
            throw new BrickException(Reason.OUT_OF_BOUNDS, this + ": offset " + offset + ", length " + length);
        }
    }

    private void enter() throws BrickException {
        if (!gate.enter()) {
            throw new BrickException(Reason.DEAD_HANDLE, this + " is dead");
        }
    }

    private void exit() {
        gate.exit();
    }

    /** New operations fail from now on. Idempotent, does not wait. */
    void kill() {
        gate.kill();
    }

    /** After {@link #kill}: returns when no operation is under way. */
    void awaitIdle() {
        gate.awaitIdle();
    }

    @Override
    public String toString() {
        return "handle to block " + block + " on brick " + brick();
    }
}
