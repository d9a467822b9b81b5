package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.pmem.PoolException;
import io.tesserafs.fabric.pmem.PoolInfo;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Looks into a pool without its daemon, and changes nothing: what it is, which blocks are allocated, and their bytes. For offline
 * checks and dumps. Confined to one thread.
 */
public final class PoolInspector implements AutoCloseable {
    private final Pool pool;
    private final TableScan scan;
    private final long[] ids;

    private PoolInspector(Pool pool, TableScan scan) {
        this.pool = pool;
        this.scan = scan;
        this.ids = scan.index.sortedIds();
    }

    /** Takes a shared lock: fails with IN_USE while a daemon has the pool. */
    public static PoolInspector open(Path path) throws PoolException {
        return open(path, false);
    }

    /** @param evenIfInUse also while a daemon has the pool; then findings may be of changes half-way */
    public static PoolInspector open(Path path, boolean evenIfInUse) throws PoolException {
        Pool pool = Pool.openReadOnly(path, evenIfInUse);
        try {
            return new PoolInspector(pool, new TableScan(new AllocationTable(pool)));
        } catch (RuntimeException e) {
            pool.abandon();
            throw e;
        }
    }

    public PoolInfo info() {
        return pool.info();
    }

    public int totalBlocks() {
        return pool.blocks();
    }

    public TableReport tableReport() {
        return scan.report();
    }

    /** All allocated ids, ascending. Blocks whose entry is corrupt are not among them. */
    public BlockId[] allocated() {
        BlockId[] all = new BlockId[ids.length];
        for (int i = 0; i < ids.length; i++) {
            all[i] = new BlockId(ids[i]);
        }
        return all;
    }

    /** The bytes of a block, read-only, until the inspector closes; null if there is no such block. */
    public @Nullable MemorySegment block(BlockId id) {
        int index = scan.index.get(id.value());
        return index == BlockIndex.NONE ? null : pool.block(index);
    }

    @Override
    public void close() {
        pool.abandon();
    }
}
