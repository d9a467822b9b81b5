package io.tesserafs.fabric.brick;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One session's way to the bytes of one block: what MAP returned. One-sided operations on it do not involve the brick's CPU
 * where the fabric can do without. Thread-safe. After UNMAP or FENCE the handle is dead: every operation fails with
 * {@link BrickException.Reason#DEAD_HANDLE} and no late write lands.
 */
public interface BlockHandle {
    BlockId block();

    BrickId brick();

    Access access();

    boolean alive();

    /**
     * The block's memory where this process has it mapped (local brick, or a peer on the same host), for scatter/gather
     * system calls and in-place work; null elsewhere. Exactly {@link BlockId#BLOCK_BYTES} long, writable only if
     * {@link #access()} says so. Check {@link #alive()} before each use: a mapping cannot be taken back.
     */
    @Nullable
    MemorySegment memory();

    /** Copies {@code length} bytes from {@code offset} of the block to {@code target} at {@code targetOffset}. */
    void read(long offset, MemorySegment target, long targetOffset, long length) throws BrickException;

    /** Copies into the block. Visible to every reader when it returns; persistent only after {@link #flush}. */
    void write(long offset, MemorySegment source, long sourceOffset, long length) throws BrickException;

    /** Returns when all earlier writes by this process to the range are persistent. May block on a device. */
    void flush(long offset, long length) throws BrickException;
}
