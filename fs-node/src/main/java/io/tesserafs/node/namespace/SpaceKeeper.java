package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves blocks between bricks and {@link Spaces}: keeps a reserve of allocated ones, frees what nobody uses, and compares the two once in a term. Thread-safe;
 * may block. A brick that does not answer holds up who wants space there, and nobody else.
 */
final class SpaceKeeper {
    private static final Logger LOG = LoggerFactory.getLogger(SpaceKeeper.class);

    /** Blocks allocated ahead on each brick; on small pools fewer. One batch costs one wait for the device. */
    static final int RESERVE_BLOCKS = 16;

    private static final int LIST_BATCH = 4096;
    private static final int SMALL_POOL_BLOCKS = 96;

    private final OwnerCore core;
    private final OwnerBricks bricks;
    private final Term term;

    private final IntSupplier checkpointBlocks;

    /**
     * What is of this owner, and what of earlier ones.
     *
     * @param lastEpoch of the last owner before that began its term
     * @param firstSequence block ids from here on are of this term
     */
    record Term(long lastEpoch, long epoch, long firstSequence) {}

    SpaceKeeper(OwnerCore core, OwnerBricks bricks, Term term, IntSupplier checkpointBlocks) {
        this.core = core;
        this.bricks = bricks;
        this.term = term;
        this.checkpointBlocks = checkpointBlocks;
    }

    /** Blocks that data may not take on any brick: the log and the next checkpoint must always find room, wherever they go. */
    long keepBlocks(BrickInfo info) {
        return (info.totalBlocks() < SMALL_POOL_BLOCKS ? 4 : 8) + 2L * checkpointBlocks.getAsInt();
    }

    /** Every block that the brick has for the volume. */
    static Set<Long> list(BrickClient brick, VolumeConfig config) throws BrickException {
        Set<Long> found = new HashSet<>();
        BlockId from = BlockId.of(config.number(), 0);
        while (true) {
            long[] batch = brick.list(from, LIST_BATCH);
            Arrays.stream(batch).forEach(found::add);
            if (batch.length < LIST_BATCH) {
                return found;
            }
            from = new BlockId(batch[batch.length - 1] + 1);
        }
    }

    /**
     * Space on a brick that can be given out, or committed by who has it from the last owner.
     *
     * @return null if the brick is not there
     */
    @Nullable
    Space open(BrickId brick) {
        try {
            return reach(brick);
        } catch (BrickException e) {
            LOG.debug("volume {}: no space on brick {}: {}", core.config.name(), brick, e.getMessage());
            return null;
        }
    }

    /**
     * As {@link #open}.
     *
     * @throws BrickException the brick is not there, or refuses
     */
    Space reach(BrickId brick) throws BrickException {
        Space space = core.spaces.find(brick);
        if (space != null && space.isReconciled()) {
            return space;
        }
        if (!brick.equals(bricks.local()) && !bricks.others().contains(brick)) {
            throw new BrickException(Reason.UNREACHABLE, "brick " + brick + " is not up");
        }
        return reconcile(brick);
    }

    private Space reconcile(BrickId brick) throws BrickException {
        Space space;
        core.lock.lock();
        try {
            space = core.spaces.of(brick);
        } finally {
            core.lock.unlock();
        }
        space.moving.lock();
        try {
            if (space.isReconciled()) {
                return space;
            }
            // Else an owner that was deposed and does not know it yet could allocate or free behind this one's back.
            OwnerSession.fence(bricks, brick, core.config.uuid(), term.lastEpoch, term.epoch);
            Set<Long> unknown = bricks.ask(brick, client -> list(client, core.config));
            space.info(bricks.ask(brick, BrickClient::info));
            unknown.removeIf(block -> new BlockId(block).sequence() >= term.firstSequence);
            core.lock.lock();
            try {
                // What extents use may have been dropped since the term began, and wait to be freed: that is known as
                // well.
                unknown.removeAll(referenced(brick));
                unknown.removeAll(space.knownBlocks());
                space.reconciled(unknown, System.nanoTime());
            } finally {
                core.lock.unlock();
            }
            LOG.info("volume {}: brick {} has {} blocks that nothing uses", core.config.name(), brick, unknown.size());
            return space;
        } finally {
            space.moving.unlock();
        }
    }

    private Set<Long> referenced(BrickId brick) {
        Set<Long> used = new HashSet<>();
        core.tables.forEach(inode -> {
            ExtentMap extents = inode.extents();
            for (int i = 0; extents != null && i < extents.count(); i++) {
                if (ExtentMap.brick(extents.packedAt(i)).equals(brick)) {
                    used.add(extents.blockAt(i));
                }
            }
        });
        return used;
    }

    /** Asks every brick that is there how full it is, and opens those that the volume has not used in this term. */
    void lookAround() {
        visit(bricks.local());
        bricks.others().forEach(this::visit);
    }

    private void visit(BrickId brick) {
        Space space = open(brick);
        if (space == null) {
            return;
        }
        try {
            space.info(bricks.ask(brick, BrickClient::info));
        } catch (BrickException e) {
            LOG.debug("volume {}: brick {} cannot be asked: {}", core.config.name(), brick, e.getMessage());
        }
    }

    /** Frees what waited for the log to be durable, or was left for heirs long enough, on all bricks that answer. */
    void reclaim() {
        core.lock.lock();
        try {
            core.spaces.endAdoption(System.nanoTime());
        } finally {
            core.lock.unlock();
        }
        for (Space space : core.spaces.all()) {
            try {
                reclaim(space);
            } catch (BrickException e) {
                LOG.debug("volume {}: {} frees nothing now: {}", core.config.name(), space.brick(), e.getMessage());
            }
        }
    }

    void reclaim(Space space) throws BrickException {
        space.moving.lock();
        try {
            List<BlockId> free;
            core.lock.lock();
            try {
                space.reclaim(core.log.durableLsn());
                free = space.drainToFree();
            } finally {
                core.lock.unlock();
            }
            if (!free.isEmpty()) {
                free(space, free);
            }
        } finally {
            space.moving.unlock();
        }
    }

    private void free(Space space, List<BlockId> free) throws BrickException {
        boolean done = false;
        try {
            bricks.tellOnce(space.brick(), client -> client.free(free.toArray(BlockId[]::new)));
            done = true;
        } catch (BrickException e) {
            if (e.reason() != Reason.NOT_FOUND) {
                throw e;
            }
            done = true; // an earlier call did it, and its answer was lost
        } finally {
            if (!done) {
                core.lock.lock();
                try {
                    space.freeLater(free);
                } finally {
                    core.lock.unlock();
                }
            }
        }
    }

    /** Fills the reserve. Without the owner's lock. Returns false if the brick has nothing more for data. */
    boolean refill(Space space) throws BrickException {
        space.moving.lock();
        try {
            BrickInfo info = bricks.ask(space.brick(), BrickClient::info);
            space.info(info);
            int target = Math.clamp(info.totalBlocks() / 32, 2, RESERVE_BLOCKS);
            long free = info.freeBlocks() - keepBlocks(info);
            BlockId[] ids;
            core.lock.lock();
            try {
                int wanted = target - space.reserveCount();
                if (wanted <= target / 2 && space.reserveCount() > 0) {
                    return true;
                }
                wanted = (int) Math.min(wanted, free);
                if (wanted <= 0) {
                    return space.reserveCount() > 0;
                }
                ids = core.grant(wanted);
            } finally {
                core.lock.unlock();
            }
            alloc(space, ids);
            return true;
        } finally {
            space.moving.unlock();
        }
    }

    private void alloc(Space space, BlockId... ids) throws BrickException {
        boolean done = false;
        try {
            bricks.tellOnce(space.brick(), client -> client.alloc(ids));
            done = true;
        } finally {
            core.lock.lock();
            try {
                if (done) {
                    List.of(ids).forEach(space::addReserve);
                } else {
                    space.freeLater(List.of(ids)); // perhaps only the answer was lost
                }
            } finally {
                core.lock.unlock();
            }
        }
    }
}
