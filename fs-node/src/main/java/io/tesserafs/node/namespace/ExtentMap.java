package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import java.util.Arrays;

/**
 * Extents of one file, ascending by tile, in three longs each: a file of one extent costs 56 bytes. Owner's lock held by all callers.
 *
 * <p>First word: durable bytes (22 bits, 42..63) · tile (42, 0..41). Second: block id. Third, "packed": brick (16 bits, 48..63) · offset in
 * 4 KiB units (9, 39..47) · log2 of the capacity (5, 34..38) · valid bytes (22, 0..21). Of the valid bytes, the first {@code durable} ones
 * were flushed before they were committed; after a loss of power no more than those are believed.
 */
final class ExtentMap {
    private static final int WORDS = 3;
    private static final int VALID_BITS = 22;
    private static final int TILE_BITS = 42;
    /** Tiles of the largest file: 2^63 bytes. */
    static final long MAX_TILES = 1L << TILE_BITS;

    private static final long TILE_MASK = MAX_TILES - 1;
    private static final int LOG_SHIFT = 34;
    private static final int OFFSET_SHIFT = 39;
    private static final int BRICK_SHIFT = 48;

    private long[] words = new long[WORDS];
    private int count;

    static long pack(ExtentRef ref, int validBytes) {
        return (long) ref.brick().value() << BRICK_SHIFT
                | (long) (ref.offset() / ExtentRef.MIN_SLICE_BYTES) << OFFSET_SHIFT
                | (long) Integer.numberOfTrailingZeros(ref.bytes()) << LOG_SHIFT
                | validBytes;
    }

    static ExtentRef ref(long block, long packed) {
        return new ExtentRef(brick(packed), new BlockId(block), offset(packed), capacity(packed));
    }

    static BrickId brick(long packed) {
        return new BrickId((int) (packed >>> BRICK_SHIFT));
    }

    static int offset(long packed) {
        return (int) (packed >>> OFFSET_SHIFT & 0x1FF) * ExtentRef.MIN_SLICE_BYTES;
    }

    static int capacity(long packed) {
        return 1 << (int) (packed >>> LOG_SHIFT & 0x1F);
    }

    static int validBytes(long packed) {
        return (int) (packed & ((1 << VALID_BITS) - 1));
    }

    /** Whether a packed word read from a log is one that {@link #pack} can have made. */
    static boolean wellFormed(long packed) {
        int log = (int) (packed >>> LOG_SHIFT & 0x1F);
        return packed >>> BRICK_SHIFT != 0
                && log >= 12
                && log <= 21
                && offset(packed) % (1 << log) == 0
                && validBytes(packed) <= 1 << log;
    }

    /** The same place with other valid bytes. */
    static long withValid(long packed, int validBytes) {
        return packed & -(1L << VALID_BITS) | validBytes;
    }

    int count() {
        return count;
    }

    long tileAt(int index) {
        return words[index * WORDS] & TILE_MASK;
    }

    int durableAt(int index) {
        return (int) (words[index * WORDS] >>> TILE_BITS);
    }

    long blockAt(int index) {
        return words[index * WORDS + 1];
    }

    long packedAt(int index) {
        return words[index * WORDS + 2];
    }

    /** Index of the first extent whose tile is {@code >= tile}. */
    int ceiling(long tile) {
        int low = 0;
        int high = count;
        if (count > 0 && tileAt(count - 1) < tile) {
            return count; // appending writers land here
        }
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (tileAt(middle) < tile) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** Index of the extent of {@code tile}, or -1. */
    int find(long tile) {
        int index = ceiling(tile);
        return index < count && tileAt(index) == tile ? index : -1;
    }

    void put(long tile, long block, long packed, int durableBytes) {
        int index = ceiling(tile);
        if (index == count || tileAt(index) != tile) {
            if ((count + 1) * WORDS > words.length) {
                words = Arrays.copyOf(words, WORDS * (count + 1 + (count >> 1)));
            }
            System.arraycopy(words, index * WORDS, words, (index + 1) * WORDS, (count - index) * WORDS);
            count++;
        }
        words[index * WORDS] = tile | (long) durableBytes << TILE_BITS;
        words[index * WORDS + 1] = block;
        words[index * WORDS + 2] = packed;
    }

    /** Removes extents of tiles [from, to). */
    void remove(long fromTile, long toTile) {
        int from = ceiling(fromTile);
        int to = toTile == Long.MAX_VALUE ? count : ceiling(toTile);
        System.arraycopy(words, to * WORDS, words, from * WORDS, (count - to) * WORDS);
        count -= to - from;
        if (count == 0) {
            words = new long[WORDS];
        }
    }
}
