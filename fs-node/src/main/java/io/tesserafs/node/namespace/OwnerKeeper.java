package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.StaleEpochException;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Does ahead of time, on a thread of its own, what operations must not wait for: prepares log segments, keeps a reserve of allocated blocks, flushes
 * the log so that freed space can be used again, frees blocks on the brick, writes checkpoints.
 */
final class OwnerKeeper {
    private static final Logger LOG = LoggerFactory.getLogger(OwnerKeeper.class);

    /** Blocks allocated ahead; on small pools fewer. One batch costs one wait for the device. */
    static final int RESERVE_BLOCKS = 16;

    private static final int SPARE_SEGMENTS = 3;
    private static final long PERIOD_MS = 500;
    private static final int MIN_CHECKPOINT_SEGMENTS = 4;
    private static final int MAX_CHECKPOINT_SEGMENTS = 16;

    private final OwnerCore core;
    private final OwnerBlocks blocks;
    private final ManifestKeeper manifest;
    private final long epoch;
    private final Semaphore wake = new Semaphore(0);
    private final Thread thread;
    /** One round of upkeep, or one check. Before refillLock. */
    private final ReentrantLock roundLock = new ReentrantLock();
    /** Blocks on their way between the brick and {@link Space}. Before the owner's lock. */
    private final ReentrantLock refillLock = new ReentrantLock();

    private final int reserveTarget;

    /** Segments before the writer's current one, in log order, this epoch's with handles; keeper thread only. */
    private final List<Manifest.Entry> oldSegments = new ArrayList<>();

    private final List<LogWriter.Segment> openedHere = new ArrayList<>();
    private List<LogWriter.Segment> prepared = List.of();
    private List<Long> checkpoint;
    private long nextSegmentSequence;
    private volatile boolean running = true;
    private volatile boolean checkpointWanted;

    OwnerKeeper(
            OwnerCore core,
            OwnerBlocks blocks,
            ManifestKeeper manifest,
            long epoch,
            List<Manifest.Entry> recovered,
            LogWriter.Segment first,
            List<Long> checkpoint) {
        this.core = core;
        this.blocks = blocks;
        this.manifest = manifest;
        this.epoch = epoch;
        this.oldSegments.addAll(recovered);
        this.openedHere.add(first);
        this.checkpoint = checkpoint;
        this.nextSegmentSequence = first.entry().sequence() + 1;
        long total = blocks.brick().info().totalBlocks();
        this.reserveTarget = Math.clamp(total / 32, 2, RESERVE_BLOCKS);
        this.thread = Thread.ofPlatform()
                .name("owner-keeper-" + core.config.name())
                .daemon(true)
                .unstarted(this::run);
    }

    void start() {
        thread.start();
        core.wakeKeeperWith(this::wake);
    }

    void wake() {
        wake.release();
    }

    /** Blocks that data may not take: the log and the next checkpoint must always find room. */
    long keepBlocks() {
        return (blocks.brick().info().totalBlocks() < 96 ? 4 : 8) + 2L * checkpoint.size();
    }

    /** Stops the thread; after that {@link #checkpointNow} may be called by the closing thread. */
    void stop() {
        running = false;
        wake();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        while (running && !core.isStopped()) {
            try {
                if (wake.tryAcquire(PERIOD_MS, TimeUnit.MILLISECONDS)) {
                    wake.drainPermits();
                }
                if (running) {
                    round();
                }
            } catch (StaleEpochException e) {
                core.stop(e.getMessage() == null ? "a newer owner exists" : e.getMessage());
            } catch (IOException e) {
                LOG.warn("volume {}: upkeep failed, trying again: {}", core.config.name(), e.getMessage());
                pause();
            } catch (InterruptedException e) {
                core.stop("interrupted");
            } catch (RuntimeException | Error e) {
                LOG.error("volume {}: upkeep failed", core.config.name(), e);
                core.stop("upkeep failed: " + e);
            }
        }
        core.lock.lock();
        try {
            core.kept.signalAll();
        } finally {
            core.lock.unlock();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(PERIOD_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void round() throws IOException, StaleEpochException {
        roundLock.lock();
        try {
            upkeep();
        } finally {
            roundLock.unlock();
        }
    }

    /** Runs {@code work} while nothing changes: no upkeep, no allocation, no operation. */
    <T> T paused(VolumeChecker.Paused<T> work) throws IOException {
        roundLock.lock();
        try {
            refillLock.lock();
            try {
                core.lock.lock();
                try {
                    return work.with(Set.copyOf(ownBlocks()), OwnerStart.listBlocks(blocks.brick(), core.config));
                } finally {
                    core.lock.unlock();
                }
            } finally {
                refillLock.unlock();
            }
        } finally {
            roundLock.unlock();
        }
    }

    /** What the log holds since the last checkpoint, as text. Upkeep waits, operations go on. */
    List<LogText.Line> log(long fromLsn, int max) throws IOException {
        roundLock.lock();
        try (OwnerBlocks reading = new OwnerBlocks(core.config, blocks.brick(), 0)) {
            Recovery recovery = new Recovery(reading::read, core.config.name(), core.config.uuid());
            return LogText.read(recovery, manifest.current(), fromLsn, max);
        } finally {
            roundLock.unlock();
        }
    }

    /** Has the next round write a checkpoint, however short the log is; for tests and before long pauses. */
    void checkpointSoon() {
        checkpointWanted = true;
        wake();
    }

    private void upkeep() throws IOException, StaleEpochException {
        prepareSegments();
        core.log.flush(core.lock);
        reclaim();
        refill();
        if (checkpointWanted || usedSegments() >= checkpointThreshold()) {
            checkpointWanted = false;
            checkpointNow();
        }
    }

    private int usedSegments() {
        core.lock.lock();
        try {
            return oldSegments.size() + openedHere.size() - core.log.spareCount();
        } finally {
            core.lock.unlock();
        }
    }

    private long checkpointThreshold() {
        long byPool =
                Math.clamp(blocks.brick().info().totalBlocks() / 32, MIN_CHECKPOINT_SEGMENTS, MAX_CHECKPOINT_SEGMENTS);
        return Math.max(byPool, checkpoint.size());
    }

    /** Frees what waited for the log to be durable. */
    void reclaim() throws BrickException {
        refillLock.lock();
        try {
            freeReclaimed();
        } finally {
            refillLock.unlock();
        }
    }

    private void freeReclaimed() throws BrickException {
        List<BlockId> free;
        core.lock.lock();
        try {
            core.space.reclaim(core.log.durableLsn());
            free = core.space.drainToFree();
        } finally {
            core.lock.unlock();
        }
        if (!free.isEmpty()) {
            blocks.brick().free(free.toArray(BlockId[]::new));
        }
    }

    /** Fills the reserve. Any thread, without the owner's lock. Returns false if the brick has nothing more for data. */
    boolean refill() throws BrickException {
        refillLock.lock();
        try {
            int wanted;
            BlockId[] ids;
            long free = blocks.brick().info().freeBlocks() - keepBlocks();
            core.lock.lock();
            try {
                wanted = reserveTarget - core.space.reserveCount();
                if (wanted <= reserveTarget / 2 && core.space.reserveCount() > 0) {
                    return true;
                }
                wanted = (int) Math.min(wanted, free);
                if (wanted <= 0) {
                    return core.space.reserveCount() > 0;
                }
                ids = blocks.grant(wanted);
            } finally {
                core.lock.unlock();
            }
            blocks.brick().alloc(ids);
            core.lock.lock();
            try {
                for (BlockId id : ids) {
                    core.space.addReserve(id);
                }
            } finally {
                core.lock.unlock();
            }
            return true;
        } finally {
            refillLock.unlock();
        }
    }

    private void prepareSegments() throws IOException, StaleEpochException {
        int have;
        core.lock.lock();
        try {
            have = core.log.spareCount();
        } finally {
            core.lock.unlock();
        }
        if (have >= SPARE_SEGMENTS && prepared.isEmpty()) {
            return;
        }
        if (prepared.isEmpty()) {
            prepared = format(SPARE_SEGMENTS - have);
        }
        if (prepared.isEmpty()) {
            return;
        }
        List<Manifest.Entry> all = new ArrayList<>(oldSegments);
        openedHere.forEach(s -> all.add(s.entry()));
        prepared.forEach(s -> all.add(s.entry()));
        manifest.change(m -> m.withSegments(epoch, all));
        core.lock.lock();
        try {
            prepared.forEach(core.log::addSpare);
            core.kept.signalAll();
        } finally {
            core.lock.unlock();
        }
        openedHere.addAll(prepared);
        prepared = List.of();
    }

    private List<LogWriter.Segment> format(int count) throws BrickException {
        List<LogWriter.Segment> segments = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            BlockId id = blockForLog();
            if (id == null) {
                break;
            }
            segments.add(blocks.formatSegment(id, epoch, nextSegmentSequence++, manifest.current()));
        }
        return segments;
    }

    private @Nullable BlockId blockForLog() throws BrickException {
        BlockId id;
        core.lock.lock();
        try {
            id = blocks.grant(1)[0];
        } finally {
            core.lock.unlock();
        }
        try {
            blocks.brick().alloc(id);
            return id;
        } catch (BrickException e) {
            if (e.reason() != BrickException.Reason.NO_SPACE) {
                throw e;
            }
            core.lock.lock();
            try {
                return core.space.takeReserve();
            } finally {
                core.lock.unlock();
            }
        }
    }

    /** Writes a checkpoint and drops the log before it. Keeper thread, or the closing thread after {@link #stop}. */
    void checkpointNow() throws IOException, StaleEpochException {
        Checkpointer writer = new Checkpointer(core, blocks, epoch, manifest.current());
        int[] keepFrom = {0};
        try {
            writer.run(() -> keepFrom[0] = openedHere.indexOf(core.log.current()));
        } catch (BrickException e) {
            List<BlockId> written = writer.blocks();
            if (!written.isEmpty()) {
                blocks.brick().free(written.toArray(BlockId[]::new));
            }
            throw e;
        }
        core.log.flush(core.lock);
        List<LogWriter.Segment> dropped = List.copyOf(openedHere.subList(0, keepFrom[0]));
        List<LogWriter.Segment> kept = List.copyOf(openedHere.subList(keepFrom[0], openedHere.size()));
        List<Manifest.Entry> entries = new ArrayList<>();
        kept.forEach(s -> entries.add(s.entry()));
        manifest.change(m -> new Manifest(
                epoch, writer.blocks().getFirst().value(), writer.startLsn(), writer.endLsn(), 0, entries));
        List<BlockId> free = new ArrayList<>();
        checkpoint.forEach(b -> free.add(new BlockId(b)));
        oldSegments.forEach(s -> free.add(new BlockId(s.block())));
        dropped.forEach(s -> {
            s.replicas().forEach(blocks.brick()::unmap);
            free.add(new BlockId(s.entry().block()));
        });
        oldSegments.clear();
        openedHere.clear();
        openedHere.addAll(kept);
        checkpoint = writer.blocks().stream().map(BlockId::value).toList();
        if (!free.isEmpty()) {
            blocks.brick().free(free.toArray(BlockId[]::new));
        }
    }

    /** Records that the log is complete as it is. The log was flushed. */
    void closeCleanly(long lastLsn) throws IOException, StaleEpochException {
        manifest.change(m -> m.closedAt(lastLsn));
    }

    int segmentsInUse() {
        return oldSegments.size() + openedHere.size();
    }

    /** Every block that the log and the checkpoint occupy. Keeper thread, or when it does not run. */
    List<Long> ownBlocks() {
        List<Long> own = new ArrayList<>(checkpoint);
        oldSegments.forEach(s -> own.add(s.block()));
        openedHere.forEach(s -> own.add(s.entry().block()));
        prepared.forEach(s -> own.add(s.entry().block()));
        return own;
    }
}
