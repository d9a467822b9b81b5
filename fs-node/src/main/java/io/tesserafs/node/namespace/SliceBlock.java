package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import java.util.Arrays;

/** A block cut into slices of one size, and which of them are free. As {@link Space}, whose it is. */
final class SliceBlock {
    private static final int MIN_LOG = 12;
    /** 4 KiB .. 1 MiB. */
    static final int CLASSES = 9;

    final long block;
    final int sizeClass;
    private final int slots;
    /** Bit set: in use, reserved, waiting to be freed, or an heir's. */
    private final long[] used;
    /** Bit set: used, and of an heir if of anybody: a node that has it from the last owner, and has not committed it yet. */
    private final long[] heirs;

    private int free;
    private int heirsCount;

    private SliceBlock(long block, int sizeClass) {
        this.block = block;
        this.sizeClass = sizeClass;
        this.slots = BlockId.BLOCK_BYTES >> (MIN_LOG + sizeClass);
        this.used = new long[(slots + 63) / 64];
        this.heirs = new long[used.length];
        this.free = slots;
    }

    /** All free. */
    static SliceBlock cut(long block, int sizeClass) {
        return new SliceBlock(block, sizeClass);
    }

    /** Cut by the last owner: until more is known, every slice is an heir's. */
    static SliceBlock inherited(long block, int sizeClass) {
        SliceBlock slices = new SliceBlock(block, sizeClass);
        Arrays.fill(slices.used, -1);
        Arrays.fill(slices.heirs, -1);
        slices.free = 0;
        slices.heirsCount = slices.slots;
        return slices;
    }

    static int sizeClass(int bytes) {
        return Integer.numberOfTrailingZeros(bytes) - MIN_LOG;
    }

    int free() {
        return free;
    }

    long freeBytes() {
        return (long) free << (MIN_LOG + sizeClass);
    }

    /** Nobody has any of it who is known. */
    boolean isUnused() {
        return free + heirsCount == slots;
    }

    /** Somebody may have some of it who is not known. */
    boolean hasHeirs() {
        return heirsCount > 0;
    }

    /** False if it is not free. */
    boolean take(int slot) {
        if (isSet(used, slot)) {
            return false;
        }
        used[slot >>> 6] |= 1L << slot;
        free--;
        return true;
    }

    int takeFirst() {
        for (int i = 0; i < used.length; i++) {
            int bit = Long.numberOfTrailingZeros(~used[i]);
            int slot = i * 64 + bit;
            if (bit < 64 && take(slot)) {
                return slot;
            }
        }
        throw new IllegalStateException("full slice block was offered");
    }

    /** It is known now whose the slice is. False if it is no heir's. */
    boolean takeFromHeirs(int slot) {
        if (!isSet(heirs, slot)) {
            return false;
        }
        heirs[slot >>> 6] &= ~(1L << slot);
        heirsCount--;
        return true;
    }

    void give(int slot) {
        used[slot >>> 6] &= ~(1L << slot);
        free++;
    }

    private static boolean isSet(long[] bits, int slot) {
        return (bits[slot >>> 6] >>> slot & 1) != 0;
    }
}
