package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.brick.BrickException.Reason;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which block of the pool holds which id, and which are free, in memory. A block that was taken and not yet published, or withdrawn
 * and not yet given back, is in neither set. Not thread-safe.
 */
final class BlockMap {
    private final BrickId brick;
    private final BlockIndex index;
    private final BitSet free;
    private final int totalBlocks;
    private int freeBlocks;

    /** For {@link #list}, which pages through it; null after a change. */
    private long @Nullable [] sortedIds;

    BlockMap(BrickId brick, TableScan scan, int totalBlocks) {
        this.brick = brick;
        this.index = scan.index;
        this.free = scan.free;
        this.totalBlocks = totalBlocks;
        this.freeBlocks = free.cardinality();
    }

    int freeBlocks() {
        return freeBlocks;
    }

    /** Index of the block, or {@link BlockIndex#NONE}. */
    int find(BlockId id) {
        return index.get(id.value());
    }

    /** Takes a free block for each id, or none and throws. */
    int[] take(BlockId... ids) throws BrickException {
        Set<BlockId> distinct = new HashSet<>(Arrays.asList(ids));
        for (BlockId id : ids) {
            if (id.volume() == 0) {
                throw new IllegalArgumentException("block id without a volume: " + id);
            }
            if (find(id) != BlockIndex.NONE || !distinct.remove(id)) {
                throw new BrickException(Reason.EXISTS, "block " + id + " exists on brick " + brick);
            }
        }
        if (ids.length > freeBlocks) {
            throw new BrickException(
                    Reason.NO_SPACE,
                    "brick " + brick + " has " + freeBlocks + " free blocks of " + totalBlocks + ", not " + ids.length);
        }
        int[] taken = new int[ids.length];
        int next = -1;
        for (int i = 0; i < ids.length; i++) {
            // Lowest first: the pool's touched part stays compact, and a freed block is used again while it is warm.
            next = free.nextSetBit(next + 1);
            taken[i] = next;
            free.clear(next);
        }
        freeBlocks -= taken.length;
        return taken;
    }

    /** Makes taken blocks findable under their ids. */
    void publish(BlockId[] ids, int... taken) {
        for (int i = 0; i < ids.length; i++) {
            if (!index.putIfAbsent(ids[i].value(), taken[i])) {
                throw new IllegalStateException("block " + ids[i] + " came to exist while it was being allocated");
            }
        }
        sortedIds = null;
    }

    /** Takes the id out of sight; its block stays taken. Returns its index, or {@link BlockIndex#NONE}. */
    int withdraw(BlockId id) {
        sortedIds = null;
        return index.remove(id.value());
    }

    void giveBack(int... blocks) {
        for (int block : blocks) {
            free.set(block);
        }
        freeBlocks += blocks.length;
    }

    /** Ids of the volume of {@code from} that are not below it, ascending, at most {@code max}. */
    long[] list(BlockId from, int max) {
        long[] sorted = sortedIds;
        if (sorted == null) {
            sorted = index.sortedIds();
            sortedIds = sorted;
        }
        int start = lowerBound(sorted, from.value());
        int end = start;
        while (end < sorted.length && end - start < max && new BlockId(sorted[end]).volume() == from.volume()) {
            end++;
        }
        return Arrays.copyOfRange(sorted, start, end);
    }

    private static int lowerBound(long[] sorted, long from) {
        int low = 0;
        int high = sorted.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (Long.compareUnsigned(sorted[middle], from) < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }
}
