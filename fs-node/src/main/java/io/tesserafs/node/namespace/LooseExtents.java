package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Extents whose last bytes are not known to be durable, because nobody who wrote them flushed them after they were committed, or has said so yet. As long as
 * a writer lives, it does so within seconds; of those that died, this makes sure. Any thread.
 *
 * <p>Such bytes are in the memory of the brick's host. If that is lost, they are not to be believed: what is there instead may be of another file.
 */
final class LooseExtents {
    private static final int ALL = Integer.MAX_VALUE;

    private final OwnerCore core;

    LooseExtents(OwnerCore core) {
        this.core = core;
    }

    /** Those of one brick, at most {@code max}. Takes the owner's lock. */
    List<LooseExtent> find(BrickId brick, int max) {
        List<LooseExtent> found = new ArrayList<>();
        core.lock.lock();
        try {
            core.tables.forEach(inode -> {
                ExtentMap extents = inode.extents();
                for (int i = 0; extents != null && i < extents.count() && found.size() < max; i++) {
                    long packed = extents.packedAt(i);
                    if (extents.durableAt(i) < ExtentMap.validBytes(packed)
                            && ExtentMap.brick(packed).equals(brick)) {
                        found.add(new LooseExtent(
                                inode.ino,
                                extents.tileAt(i),
                                ExtentMap.ref(extents.blockAt(i), packed),
                                extents.durableAt(i),
                                ExtentMap.validBytes(packed)));
                    }
                }
            });
        } finally {
            core.lock.unlock();
        }
        return found;
    }

    /** Flushes them all, on a brick that has lost nothing since they were committed, or has made up for it. */
    void makeDurable(BrickId brick, OwnerBricks bricks) throws BrickException, FsException {
        Map<BlockId, List<LooseExtent>> byBlock = new LinkedHashMap<>();
        for (LooseExtent extent : find(brick, ALL)) {
            byBlock.computeIfAbsent(extent.ref().block(), block -> new ArrayList<>())
                    .add(extent);
        }
        // Each by itself: what is cut and written again meanwhile must not be taken for flushed.
        for (Map.Entry<BlockId, List<LooseExtent>> each : byBlock.entrySet()) {
            try {
                bricks.tell(brick, client -> OwnerBlocks.flush(client, each.getKey(), 0, BlockId.BLOCK_BYTES));
                settle(each.getValue());
            } catch (BrickException e) {
                if (e.reason() != BrickException.Reason.NOT_FOUND) { // its files were deleted meanwhile
                    throw e;
                }
            }
        }
    }

    /** Their bytes are durable, whatever they are now. What was cut, moved or removed meanwhile stays as it is. */
    void settle(List<LooseExtent> settled) throws FsException {
        change(settled, (extent, packed, durable) -> {
            int now = Math.min(extent.validBytes(), ExtentMap.validBytes(packed));
            if (now > durable) {
                core.tx.putExtent(
                        extent.ino(), extent.tile(), extent.ref().block().value(), packed, now);
            }
        });
    }

    /** Their bytes are lost: what was durable remains, the rest is a hole. */
    void drop(List<LooseExtent> lost) throws FsException {
        change(lost, (extent, packed, durable) -> {
            if (durable == 0) {
                core.tx.deleteExtents(extent.ino(), extent.tile(), extent.tile() + 1);
            } else {
                core.tx.putExtent(
                        extent.ino(),
                        extent.tile(),
                        extent.ref().block().value(),
                        ExtentMap.withValid(packed, durable),
                        durable);
            }
        });
    }

    private interface Change {
        void of(LooseExtent extent, long packedNow, int durableNow);
    }

    private void change(List<LooseExtent> which, Change change) throws FsException {
        int at = 0;
        while (at < which.size()) {
            core.begin();
            try {
                while (at < which.size() && core.tx.length() <= OwnerCore.MAX_TRANSACTION_BYTES / 2) {
                    changeOne(which.get(at++), change);
                }
                core.apply();
            } finally {
                core.end();
            }
        }
    }

    private void changeOne(LooseExtent extent, Change change) {
        Inode inode = core.tables.inode(extent.ino());
        ExtentMap extents = inode == null ? null : inode.extents();
        int index = extents == null ? -1 : extents.find(extent.tile());
        if (extents != null
                && index >= 0
                && ExtentMap.ref(extents.blockAt(index), extents.packedAt(index))
                        .equals(extent.ref())) {
            change.of(extent, extents.packedAt(index), extents.durableAt(index));
        }
    }
}
