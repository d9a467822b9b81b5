package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;

/**
 * Where the bytes of one tile are: a whole block, or a power-of-two slice of a block that many small files share. One replica for
 * now; replicas follow as further refs of the same tile.
 *
 * @param offset in the block, a multiple of {@code bytes}
 * @param bytes capacity: 4 KiB..1 MiB for a slice, 2 MiB for a whole block; a power of two
 */
public record ExtentRef(BrickId brick, BlockId block, int offset, int bytes) {
    public static final int MIN_SLICE_BYTES = 4096;

    public ExtentRef {
        if (Integer.bitCount(bytes) != 1
                || bytes < MIN_SLICE_BYTES
                || bytes > BlockId.BLOCK_BYTES
                || offset < 0
                || offset % bytes != 0
                || offset + bytes > BlockId.BLOCK_BYTES) {
            throw new IllegalArgumentException("bad extent: offset " + offset + ", bytes " + bytes);
        }
    }

    public boolean isWholeBlock() {
        return bytes == BlockId.BLOCK_BYTES;
    }
}
