package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
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
 *
 * <p>Heirs are nodes that live and have space from the last owner which no record names yet: it is theirs to commit. So no block without a reference, nor
 * any slice that no record names of blocks which the last owner cut, is given out by this owner. What no heir has committed after some time, goes back to
 * the brick as soon as its block is not used otherwise, and not to anybody else before: only FREE ends what a node may still be writing there.
 */
final class Space {
    /** Nodes commit every five seconds what they have from the last owner; a multiple of that. */
    static final long ADOPTION_NS = TimeUnit.SECONDS.toNanos(60);

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
    /** Whether there may be heirs. */
    private final boolean heirs;
    /** Whether heirs still have the time to commit. It begins when the brick is there: before that they may wait for it as well. */
    private boolean adopting;

    private long reconciledNs;
    /** Blocks without a reference: heirs' if anybody's. */
    private final Set<Long> adoptable = new HashSet<>();

    /** Blocks on their way between the brick and here. Before the owner's lock. */
    final ReentrantLock moving = new ReentrantLock();

    /** As last heard from the brick; null before that. Read without the lock. */
    private volatile @Nullable BrickInfo info;

    /** What is on the brick was compared with what is here; before that nothing is given out. */
    private volatile boolean reconciled;

    Space(BrickId brick, boolean heirs) {
        this.brick = brick;
        this.heirs = heirs;
        this.adopting = heirs;
        for (int i = 0; i < SliceBlock.CLASSES; i++) {
            partial.add(new ArrayDeque<>());
        }
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
     * @param unreferenced what no extent, nor the log, uses: it is freed, at once if there are no heirs
     * @param nowNs as {@link System#nanoTime}
     */
    void reconciled(Set<Long> unreferenced, long nowNs) {
        if (adopting) {
            adoptable.addAll(unreferenced);
        } else {
            toFree.addAll(unreferenced);
        }
        reconciledNs = nowNs;
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
            int sizeClass = SliceBlock.sizeClass(capacity);
            SliceBlock from = partial.get(sizeClass).peek();
            if (from == null) {
                Long block = reserve.poll();
                if (block == null) {
                    return null;
                }
                from = SliceBlock.cut(block, sizeClass);
                sliceBlocks.put(block.longValue(), from);
                partial.get(sizeClass).add(from);
            }
            int slot = from.takeFirst();
            if (from.free() == 0) {
                partial.get(sizeClass).remove(from);
            }
            ref = new ExtentRef(brick, new BlockId(from.block), slot * capacity, capacity);
        }
        reservations.add(ref);
        return ref;
    }

    /** These blocks are not data: whatever was meant to become of them, nothing does. */
    void disclaim(Set<Long> blocks) {
        adoptable.removeAll(blocks);
        toFree.removeIf(blocks::contains);
    }

    /** Whether heirs may have space here of which nothing is known yet. */
    boolean mayHaveUnknownHeirs() {
        return heirs && !reconciled;
    }

    /** If every heir has had the time to commit what it had: frees what none has committed. */
    void endAdoption(long nowNs) {
        if (!adopting || !reconciled || nowNs - reconciledNs < ADOPTION_NS) {
            return;
        }
        adopting = false;
        toFree.addAll(adoptable);
        adoptable.clear();
        List<SliceBlock> unused = new ArrayList<>();
        for (SliceBlock slices : sliceBlocks.values()) {
            if (slices.isUnused()) {
                unused.add(slices);
            }
        }
        unused.forEach(this::retire);
    }

    /**
     * Whether the space is one that was kept for heirs, and nobody's since. It is reserved then, as if this owner had given it out: also if the commit that names it
     * has to be put off.
     */
    boolean adopt(ExtentRef ref) {
        boolean adopted = ref.isWholeBlock() ? adoptable.remove(ref.block().value()) : adoptSlice(ref);
        if (adopted) {
            reservations.add(ref);
        }
        return adopted;
    }

    private boolean adoptSlice(ExtentRef ref) {
        long block = ref.block().value();
        int sizeClass = SliceBlock.sizeClass(ref.bytes());
        if (adoptable.remove(block)) {
            sliceBlocks.put(block, SliceBlock.inherited(block, sizeClass));
        }
        SliceBlock slices = sliceBlocks.get(block);
        return slices != null && slices.sizeClass == sizeClass && slices.takeFromHeirs(ref.offset() / ref.bytes());
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
        if (from.free() == 1) {
            partial.get(from.sizeClass).add(from);
        }
        if (from.isUnused()) {
            retire(from);
        }
    }

    /** Nobody who is known uses the block: it is cut no more, unless heirs may come. */
    private void retire(SliceBlock unused) {
        if (unused.hasHeirs() && adopting) {
            return;
        }
        sliceBlocks.remove(unused.block);
        partial.get(unused.sizeClass).remove(unused);
        if (unused.hasHeirs()) {
            toFree.add(unused.block);
        } else {
            emptied(unused.block);
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
            bytes += block.freeBytes();
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
        int sizeClass = SliceBlock.sizeClass(capacity);
        if (slices == null) {
            slices = heirs ? SliceBlock.inherited(block, sizeClass) : SliceBlock.cut(block, sizeClass);
            sliceBlocks.put(block, slices);
            if (!heirs) {
                partial.get(sizeClass).add(slices);
            }
        }
        if (slices.sizeClass != sizeClass) {
            return "block " + new BlockId(block) + " holds slices of two sizes";
        }
        int slot = offset / capacity;
        if (!slices.takeFromHeirs(slot) && !slices.take(slot)) {
            return "slice at " + offset + " of block " + new BlockId(block) + " is used twice";
        }
        if (slices.free() == 0) {
            partial.get(sizeClass).remove(slices);
        }
        return null;
    }
}
