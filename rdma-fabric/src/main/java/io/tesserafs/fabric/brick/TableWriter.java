package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.util.Arrays;
import java.util.BitSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes changes of an open pool's allocation table persistent. Not thread-safe. */
final class TableWriter {
    private static final Logger LOG = LoggerFactory.getLogger(TableWriter.class);

    private final Pool pool;
    private final AllocationTable table;

    /** A flush of the table failed: what the device holds is unknown until the pool is opened anew. */
    private boolean failed;

    /** Blocks whose pages were made present already; they stay so. */
    private final BitSet populated = new BitSet();

    /** So that the log says it once. */
    private boolean populateFailed;

    TableWriter(Pool pool, AllocationTable table) {
        this.pool = pool;
        this.table = table;
    }

    /** What the scan found repairable. */
    void repair(TableScan scan, TableReport report) throws IOException {
        for (String line : report.repairable()) {
            LOG.warn("pool {}: allocation table repaired: {}", pool.path(), line);
        }
        for (int i = scan.toRepair.nextSetBit(0); i >= 0; i = scan.toRepair.nextSetBit(i + 1)) {
            if (scan.free.get(i)) {
                table.putFree(i);
            } else {
                table.putAllocated(i, table.id(i));
            }
        }
        if (!pool.cleanShutdown() || !report.isClean()) {
            table.rewrite();
        }
    }

    void checkNotFailed() throws BrickException {
        if (failed) {
            throw new BrickException(
                    Reason.IO,
                    "brick b" + pool.brick() + ": the allocation table could not be written; open the pool anew");
        }
    }

    /** Durable when it returns. */
    void allocated(BlockId[] ids, int... indices) throws BrickException {
        for (int i = 0; i < ids.length; i++) {
            table.putAllocated(indices[i], ids[i].value());
        }
        flush(indices);
        populate(indices);
    }

    /** Durable when it returns. */
    void freed(int... indices) throws BrickException {
        for (int i : indices) {
            table.putFree(i);
        }
        if (indices.length > 0) {
            flush(indices);
        }
    }

    private void flush(int... indices) throws BrickException {
        int first = Arrays.stream(indices).min().orElseThrow();
        int last = Arrays.stream(indices).max().orElseThrow();
        try {
            table.flush(first, last);
        } catch (IOException e) {
            failed = true;
            throw new BrickException(
                    Reason.IO, "brick b" + pool.brick() + ": the allocation table cannot be written: " + e, e);
        }
    }

    /** Faults the blocks in before anyone waits for them; only where memory is all there is. */
    private void populate(int... indices) {
        try {
            for (int i : indices) {
                if (!populated.get(i)) {
                    pool.populate(i);
                    populated.set(i);
                }
            }
        } catch (IOException e) {
            // The blocks are there all the same; the first touch of a page does what could not be done ahead.
            if (!populateFailed) {
                populateFailed = true;
                LOG.warn("brick b{}: cannot populate blocks ahead of use: {}", pool.brick(), e.getMessage());
            }
        }
    }
}
