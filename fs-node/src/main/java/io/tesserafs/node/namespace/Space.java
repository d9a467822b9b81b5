package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Which space of one brick this volume uses, and for what. Everything here follows from the extent maps; nothing is persistent of its
 * own. Slices of one block all have one size. Owner's lock held by all callers, but for what says otherwise; no I/O: blocks come in and go out through
 * {@link SpaceKeeper}.
 *
 * <p>Freed space waits until the log record that freed it is durable; else a loss of power could bring back a file whose space
 * another file has overwritten.
 */
final class Space {
    private static final int MIN_LOG = 12;
    private static final int CLASSES = 9; // 4 KiB .. 1 MiB

    /** A block cut into slices of one size. */
    private static final class SliceBlock {
        final long block;
        final int sizeClass;
        /** Bit set: in use, reserved or waiting to be freed. */
        final long[] used;

        int free;

        SliceBlock(long block, int sizeClass) {
            this.block = block;
            this.sizeClass = sizeClass;
            this.free = slots(sizeClass);
            this.used = new long[(free + 63) / 64];
        }

        boolean take(int slot) {
            if ((used[slot >>> 6] >>> slot & 1) != 0) {
                return false;
            }
            used[slot >>> 6] |= 1L << slot;
            free--;
            return true;
        }

        void give(int slot) {
            used[slot >>> 6] &= ~(1L << slot);
            free++;
        }

        int firstFree() {
            for (int i = 0; i < used.length; i++) {
                int bit = Long.numberOfTrailingZeros(~used[i]);
                if (bit < 64) {
                    return i * 64 + bit;
                }
            }
            throw new IllegalStateException("full slice block was offered");
        }
    }

    private record PendingFree(long lsn, long block, long packed) {}

    private final BrickId brick;
    private final Long2ObjectHashMap<SliceBlock> sliceBlocks = new Long2ObjectHashMap<>();
    /** Per size class, blocks with a free slice. */
    private final List<ArrayDeque<SliceBlock>> partial = new ArrayList<>();
    /** Blocks that were allocated on the brick ahead of need. */
    private final ArrayDeque<Long> reserve = new ArrayDeque<>();

    private final ArrayDeque<PendingFree> pending = new ArrayDeque<>();
    private final ArrayDeque<Long> toFree = new ArrayDeque<>();
    private final Set<ExtentRef> reservations = new HashSet<>();
    /** Blocks without a reference that a last owner may have given to nodes which still live. */
    private final Set<Long> adoptable = new HashSet<>();

    /** Blocks on their way between the brick and here. Before the owner's lock. */
    final ReentrantLock moving = new ReentrantLock();

    /** As last heard from the brick; null before that. Read without the lock. */
    private volatile @Nullable BrickInfo info;

    /** What is on the brick was compared with what is here; before that nothing is given out. */
    private volatile boolean reconciled;

    Space(BrickId brick) {
        this.brick = brick;
        for (int i = 0; i < CLASSES; i++) {
            partial.add(new ArrayDeque<>());
        }
    }

    private static int slots(int sizeClass) {
        return BlockId.BLOCK_BYTES >> (MIN_LOG + sizeClass);
    }

    private static int sizeClass(int bytes) {
        return Integer.numberOfTrailingZeros(bytes) - MIN_LOG;
    }

    @Nullable
    BrickInfo info() {
        return info;
    }

    void info(BrickInfo heard) {
        info = heard;
    }

    boolean isReconciled() {
        return reconciled;
    }

    /**
     * Compares with what the brick has.
     *
     * @param unreferenced what no extent, nor the log, uses
     * @param heirs they may be of nodes that live: see {@link #keepForHeirs}; else they are freed
     */
    void reconciled(Set<Long> unreferenced, boolean heirs) {
        if (heirs) {
            keepForHeirs(unreferenced);
        } else {
            toFree.addAll(unreferenced);
        }
        reconciled = true;
    }

    /**
     * Takes space for {@code bytes}, a slice or a whole block.
     *
     * @return null if a block is needed and the reserve is empty
     */
    @Nullable
    ExtentRef take(int bytes) {
        int capacity = Math.max(ExtentRef.MIN_SLICE_BYTES, bytes == 1 ? 1 : Integer.highestOneBit(bytes - 1) << 1);
        ExtentRef ref;
        if (capacity >= BlockId.BLOCK_BYTES) {
            Long block = reserve.poll();
            if (block == null) {
                return null;
            }
            ref = new ExtentRef(brick, new BlockId(block), 0, BlockId.BLOCK_BYTES);
        } else {
            int sizeClass = sizeClass(capacity);
            SliceBlock from = partial.get(sizeClass).peek();
            if (from == null) {
                Long block = reserve.poll();
                if (block == null) {
                    return null;
                }
                from = new SliceBlock(block, sizeClass);
                sliceBlocks.put(block.longValue(), from);
                partial.get(sizeClass).add(from);
            }
            int slot = from.firstFree();
            from.take(slot);
            if (from.free == 0) {
                partial.get(sizeClass).remove(from);
            }
            ref = new ExtentRef(brick, new BlockId(from.block), slot * capacity, capacity);
        }
        reservations.add(ref);
        return ref;
    }

    /**
     * Nodes live that have space from the last owner which no record names yet: it is theirs to commit. So nothing of these blocks, nor any free slice of
     * blocks that are in use, is given out by this owner. What nobody commits is freed by {@link #freeUnadopted}.
     */
    private void keepForHeirs(Set<Long> unreferenced) {
        adoptable.addAll(unreferenced);
        partial.forEach(ArrayDeque::clear);
    }

    /** These blocks are not data: whatever was meant to become of them, nothing does. */
    void disclaim(Set<Long> blocks) {
        adoptable.removeAll(blocks);
        toFree.removeIf(blocks::contains);
    }

    /** By now every node has committed what it had from the last owner. */
    void freeUnadopted() {
        toFree.addAll(adoptable);
        adoptable.clear();
    }

    /** Whether the space is one that {@link #keepForHeirs} kept, and nobody's since; it counts as given out then. */
    boolean adopt(ExtentRef ref) {
        long block = ref.block().value();
        if (ref.isWholeBlock()) {
            return adoptable.remove(block);
        }
        int sizeClass = sizeClass(ref.bytes());
        if (adoptable.remove(block)) {
            sliceBlocks.put(block, new SliceBlock(block, sizeClass));
        }
        SliceBlock slices = sliceBlocks.get(block);
        return slices != null && slices.sizeClass == sizeClass && slices.take(ref.offset() / ref.bytes());
    }

    boolean isReserved(ExtentRef ref) {
        return reservations.contains(ref);
    }

    /** Gives back what {@link #take} gave and nobody committed. */
    boolean release(ExtentRef ref) {
        if (!reservations.remove(ref)) {
            return false;
        }
        free(ref.block().value(), ref.offset(), ref.bytes());
        return true;
    }

    void added(long block, long packed) {
        reservations.remove(ExtentMap.ref(block, packed));
    }

    /** {@code lsn}: of the record that drops it. */
    void dropped(long lsn, long block, long packed) {
        pending.add(new PendingFree(lsn, block, packed));
    }

    boolean hasPending() {
        return !pending.isEmpty();
    }

    /** Frees what was dropped by records up to {@code durableLsn}. */
    void reclaim(long durableLsn) {
        PendingFree next = pending.peek();
        while (next != null && next.lsn <= durableLsn) {
            pending.remove();
            free(next.block, ExtentMap.offset(next.packed), ExtentMap.capacity(next.packed));
            next = pending.peek();
        }
    }

    private void free(long block, int offset, int bytes) {
        if (bytes == BlockId.BLOCK_BYTES) {
            emptied(block);
            return;
        }
        SliceBlock from = sliceBlocks.get(block);
        if (from == null) {
            throw new IllegalStateException("slice of an unknown block " + new BlockId(block));
        }
        from.give(offset / bytes);
        if (from.free == slots(from.sizeClass)) {
            sliceBlocks.remove(block);
            partial.get(from.sizeClass).remove(from);
            emptied(block);
        } else if (from.free == 1) {
            partial.get(from.sizeClass).add(from);
        }
    }

    private void emptied(long block) {
        if (reserve.size() < SpaceKeeper.RESERVE_BLOCKS) {
            reserve.add(block);
        } else {
            toFree.add(block);
        }
    }

    /** The brick could not be told. */
    void freeLater(List<BlockId> blocks) {
        blocks.forEach(block -> toFree.add(block.value()));
    }

    /** Blocks that shall be FREEd on the brick. */
    List<BlockId> drainToFree() {
        List<BlockId> blocks = new ArrayList<>(toFree.size());
        for (Long block : toFree) {
            blocks.add(new BlockId(block));
        }
        toFree.clear();
        return blocks;
    }

    void addReserve(BlockId block) {
        reserve.add(block.value());
    }

    @Nullable
    BlockId takeReserve() {
        Long block = reserve.poll();
        return block == null ? null : new BlockId(block);
    }

    int reserveCount() {
        return reserve.size();
    }

    BrickId brick() {
        return brick;
    }

    /** Every block that is accounted for here: cut into slices, in reserve, given out, or on its way back to the brick. */
    Set<Long> knownBlocks() {
        Set<Long> blocks = new HashSet<>(reserve);
        blocks.addAll(toFree);
        blocks.addAll(adoptable);
        sliceBlocks.forEachLong((block, slices) -> blocks.add(block));
        reservations.forEach(ref -> blocks.add(ref.block().value()));
        pending.forEach(free -> blocks.add(free.block));
        return blocks;
    }

    /** Bytes that are free inside slice blocks. */
    long freeSliceBytes() {
        long bytes = 0;
        for (SliceBlock block : sliceBlocks.values()) {
            bytes += (long) block.free << (MIN_LOG + block.sizeClass);
        }
        return bytes;
    }

    /**
     * Enters an extent that replay found.
     *
     * @return null, or what is wrong: the space is taken already
     */
    @Nullable
    String claim(long block, long packed) {
        int capacity = ExtentMap.capacity(packed);
        int offset = ExtentMap.offset(packed);
        SliceBlock slices = sliceBlocks.get(block);
        if (capacity == BlockId.BLOCK_BYTES) {
            return slices != null ? "block " + new BlockId(block) + " is used whole and in slices" : null;
        }
        int sizeClass = sizeClass(capacity);
        if (slices == null) {
            slices = new SliceBlock(block, sizeClass);
            sliceBlocks.put(block, slices);
            partial.get(sizeClass).add(slices);
        }
        if (slices.sizeClass != sizeClass) {
            return "block " + new BlockId(block) + " holds slices of two sizes";
        }
        if (!slices.take(offset / capacity)) {
            return "slice at " + offset + " of block " + new BlockId(block) + " is used twice";
        }
        if (slices.free == 0) {
            partial.get(sizeClass).remove(slices);
        }
        return null;
    }
}
