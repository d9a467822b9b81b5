package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fuse.Errno;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives space on bricks to those who write, and knows how much there is. Thread-safe; may wait for bricks. */
final class Allocator {
    private static final Logger LOG = LoggerFactory.getLogger(Allocator.class);

    /**
     * How long a full volume waits for files to die that other nodes may still use, since a node that does not answer is evicted by then; and for bricks that do
     * not answer, since a connection is replaced, or its node known to be gone, by then.
     */
    private static final long PATIENCE_NS = TimeUnit.SECONDS.toNanos(10);

    private static final long DYING_CHECK_MS = 25;
    /** Each time a connection may be sought. */
    private static final long BRICK_CHECK_MS = 100;

    private final OwnerCore core;
    private final OwnerBricks bricks;
    private final BrickClient local;
    private final SpaceKeeper keeper;

    Allocator(OwnerCore core, OwnerBricks bricks, BrickClient local, SpaceKeeper keeper) {
        this.core = core;
        this.bricks = bricks;
        this.local = local;
        this.keeper = keeper;
    }

    /**
     * See {@link VolumeService#allocate}.
     *
     * @param mayGetSpaceSoon whether it is worth while to wait for space
     */
    ExtentRef allocate(int bytes, BrickId preferred, BooleanSupplier mayGetSpaceSoon) throws FsException {
        return allocate(bytes, search -> search.somewhere(preferred), mayGetSpaceSoon);
    }

    /** See {@link VolumeService#allocateOn}. */
    ExtentRef allocateOn(BrickId brick, int bytes, BooleanSupplier mayGetSpaceSoon) throws FsException {
        return allocate(bytes, search -> search.only(brick), mayGetSpaceSoon);
    }

    private interface Where {
        @Nullable
        ExtentRef find(Search search) throws FsException;
    }

    private ExtentRef allocate(int bytes, Where where, BooleanSupplier mayGetSpaceSoon) throws FsException {
        if (bytes < 1 || bytes > BlockId.BLOCK_BYTES) {
            throw new IllegalArgumentException("allocation of " + bytes + " bytes");
        }
        long start = System.nanoTime();
        while (true) {
            Search search = new Search(bytes);
            ExtentRef ref = where.find(search);
            if (ref != null) {
                return ref;
            }
            boolean waits = search.unasked != null || mayGetSpaceSoon.getAsBoolean();
            if (!waits || System.nanoTime() - start >= PATIENCE_NS) {
                throw search.failure();
            }
            sleep(search.unasked == null ? DYING_CHECK_MS : BRICK_CHECK_MS);
            core.checkRunning(); // it may have been deposed, which is why bricks refuse it
        }
    }

    /** For space, once over all bricks. One that cannot be asked may have some. */
    private final class Search {
        private final int bytes;
        private String place = "the volume's bricks";
        private @Nullable String unasked;

        Search(int bytes) {
            this.bytes = bytes;
        }

        /** On the brick of who asks, else on this node's, else where there is room. */
        @Nullable
        ExtentRef somewhere(BrickId preferred) throws FsException {
            BrickId local = bricks.local();
            List<BrickId> others = bricks.others();
            // A brick that is not up though it was may have space, since its node asks.
            boolean known =
                    preferred.equals(local) || others.contains(preferred) || core.spaces.find(preferred) != null;
            ExtentRef ref = known ? there(preferred) : null;
            if (ref == null && !preferred.equals(local)) {
                ref = on(local);
            }
            for (BrickId other : others) {
                ref = ref == null && !other.equals(preferred) ? on(other) : ref;
            }
            return ref;
        }

        @Nullable
        ExtentRef only(BrickId brick) throws FsException {
            place = "brick " + brick;
            return there(brick);
        }

        private @Nullable ExtentRef there(BrickId brick) throws FsException {
            if (brick.equals(bricks.local()) || bricks.others().contains(brick)) {
                return on(brick);
            }
            unasked = "brick " + brick + " is not up";
            return null;
        }

        private @Nullable ExtentRef on(BrickId brick) throws FsException {
            try {
                return allocate(brick, bytes);
            } catch (BrickException e) {
                LOG.debug("nothing can be allocated on brick {}: {}", brick, e.getMessage());
                unasked = String.valueOf(e.getMessage());
                return null;
            }
        }

        FsException failure() {
            return unasked == null
                    ? new FsException(Errno.ENOSPC, "no space left on " + place)
                    : new UnavailableException("no space found on " + place + ": " + unasked);
        }
    }

    private @Nullable ExtentRef allocate(BrickId brick, int bytes) throws FsException, BrickException {
        Space space = keeper.reach(brick);
        ExtentRef ref = take(space, bytes);
        for (int attempt = 0; ref == null && attempt < 2; attempt++) {
            try {
                if (!keeper.refill(space)) {
                    core.sync(); // frees wait for the log to be durable
                    keeper.reclaim(space);
                    keeper.refill(space);
                }
            } catch (BrickException e) {
                if (e.reason() != BrickException.Reason.NO_SPACE) {
                    throw e;
                }
            }
            ref = take(space, bytes);
        }
        return ref;
    }

    private static void sleep(long ms) throws FsException {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FsException(Errno.EINTR, "interrupted");
        }
    }

    private @Nullable ExtentRef take(Space space, int bytes) throws FsException {
        core.begin();
        try {
            ExtentRef ref = space.take(bytes);
            if (space.reserveCount() < 2) {
                core.wakeKeeper();
            }
            return ref;
        } finally {
            core.end();
        }
    }

    /** See {@link VolumeService#release}. */
    void release(ExtentRef unused) {
        core.lock.lock();
        try {
            if (!core.spaces.release(unused)) {
                LOG.warn("release of space that was not reserved: {}", unused);
            }
        } finally {
            core.lock.unlock();
        }
    }

    /** Any thread. */
    VolumeService.Statistics statistics() {
        long unit = BlockId.BLOCK_BYTES / ExtentRef.MIN_SLICE_BYTES;
        long total = 0;
        long free = 0;
        long usable = 0;
        List<Space> spaces = core.spaces.all();
        core.lock.lock();
        try {
            for (Space space : spaces) {
                BrickInfo info = space == core.spaces.local() ? local.info() : space.info();
                if (info == null) {
                    continue; // not heard of in this term
                }
                long reserved = space.reserveCount() * unit;
                long slices = space.freeSliceBytes() / ExtentRef.MIN_SLICE_BYTES;
                long keep = Math.max(0, info.freeBlocks() - keeper.keepBlocks(info));
                total += info.totalBlocks() * unit;
                free += info.freeBlocks() * unit + reserved + slices;
                usable += keep * unit + reserved + slices;
            }
            long inodes = core.tables.inodeCount();
            return new VolumeService.Statistics(
                    total,
                    free,
                    usable,
                    ExtentRef.MIN_SLICE_BYTES,
                    inodes,
                    Math.max(0, core.config.maxInodes() - inodes));
        } finally {
            core.lock.unlock();
        }
    }
}
