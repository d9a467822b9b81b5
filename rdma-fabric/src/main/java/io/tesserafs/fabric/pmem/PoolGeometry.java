package io.tesserafs.fabric.pmem;

/**
 * Where things are in a pool of a given number of blocks. All offsets in bytes from the start of the file:
 *
 * <pre>
 *        0  header, first copy
 *   64 KiB  header, second copy
 *  128 KiB  allocation table, first copy    (16 bytes per block, rounded up to 64 KiB)
 *        .  allocation table, second copy
 *        .  blocks                          (2 MiB each, aligned to 2 MiB)
 * </pre>
 *
 * <p>The two tables are neighbours so that one msync(2) over both waits for the device once and covers no block.
 */
record PoolGeometry(long blocks) {
    static final int BLOCK_BYTES = 2 << 20;
    static final int PAGE_BYTES = 4096;

    /** The largest page of the machines we run on; also far enough apart that one bad sector hits one copy. */
    private static final int COPY_ALIGNMENT_BYTES = 64 << 10;

    static final int TABLE_ENTRY_BYTES = 16;
    static final long HEADER_A = 0;
    static final long HEADER_B = 64 << 10;
    static final long TABLE_A = 128 << 10;

    /** 256 TiB: block indices stay well inside an int. */
    static final long MAX_BLOCKS = 1L << 27;

    /** The largest pool that fits in the given bytes. */
    static PoolGeometry within(long bytes) {
        long blocks = Math.min(bytes / BLOCK_BYTES, MAX_BLOCKS);
        while (blocks > 0 && new PoolGeometry(blocks).fileBytes() > bytes) {
            blocks--;
        }
        return new PoolGeometry(blocks);
    }

    long tableBytes() {
        return roundUp(blocks * TABLE_ENTRY_BYTES, COPY_ALIGNMENT_BYTES);
    }

    long tableB() {
        return TABLE_A + tableBytes();
    }

    long dataOffset() {
        return roundUp(tableB() + tableBytes(), BLOCK_BYTES);
    }

    long fileBytes() {
        return dataOffset() + blocks * BLOCK_BYTES;
    }

    long blockOffset(int index) {
        return dataOffset() + (long) index * BLOCK_BYTES;
    }

    private static long roundUp(long value, long powerOfTwo) {
        return (value + powerOfTwo - 1) & -powerOfTwo;
    }
}
