package io.tesserafs.fabric.brick;

/**
 * Part of a block that is to become persistent, see {@link BlockHandle#flush}.
 *
 * @param offset in the block, in bytes
 * @param length in bytes
 */
public record FlushRange(BlockHandle handle, long offset, long length) {
    public void flush() throws BrickException {
        handle.flush(offset, length);
    }

    /** Whether it lies within a block. */
    public boolean isInBounds() {
        return offset >= 0 && length >= 0 && offset <= BlockId.BLOCK_BYTES - length;
    }
}
