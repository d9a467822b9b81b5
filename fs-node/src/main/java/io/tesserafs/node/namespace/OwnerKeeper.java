package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.StaleEpochException;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Does ahead of time, on a thread of its own, what operations must not wait for: prepares log segments, flushes the log so that freed space can be used
 * again, has {@link SpaceKeeper} look after the bricks, writes checkpoints, and finds the log a mirror.
 */
final class OwnerKeeper {
    private static final Logger LOG = LoggerFactory.getLogger(OwnerKeeper.class);

    private static final int SPARE_SEGMENTS = 3;
    private static final long PERIOD_MS = 500;
    private static final int MIN_CHECKPOINT_SEGMENTS = 4;
    private static final int MAX_CHECKPOINT_SEGMENTS = 16;
    /** Between looks at how full the bricks are and whether others came. */
    private static final int ROUNDS_PER_LOOK = 2;
    /** After a mirror could not be built or broke. */
    private static final int ROUNDS_BEFORE_NEXT_MIRROR = 4;

    private final OwnerCore core;
    private final OwnerBlocks blocks;
    private final ManifestKeeper manifest;
    private final long epoch;
    private final Semaphore wake = new Semaphore(0);
    private final Thread thread;
    /** One round of upkeep, or one check. Before all other locks. */
    private final ReentrantLock roundLock = new ReentrantLock();

    private final OwnerBricks bricks;
    private final LogMirror mirror;
    private final SpaceKeeper space;
    private final Settler settler;

    private int rounds;
    private int roundsUntilMirror;

    /** Segments before the writer's current one, in log order, this epoch's with handles; keeper thread only. */
    private final List<Manifest.Entry> oldSegments = new ArrayList<>();

    private final List<LogWriter.Segment> openedHere = new ArrayList<>();
    private List<LogWriter.Segment> prepared = List.of();
    private volatile List<Long> checkpoint;
    private long nextSegmentSequence;
    private volatile boolean running = true;
    private volatile boolean checkpointWanted;

    /** Written, but the manifest is not known to name it. */
    private @Nullable Finished finished;

    /** A checkpoint; the log from the {@code keepFrom}th of the segments opened here on follows it. */
    private record Finished(List<BlockId> blocks, long startLsn, long endLsn, int keepFrom) {}

    OwnerKeeper(
            OwnerCore core,
            OwnerBlocks blocks,
            OwnerBricks bricks,
            ManifestKeeper manifest,
            long epoch,
            long firstBlockSequence,
            long lastEpoch,
            List<Manifest.Entry> recovered,
            LogWriter.Segment first,
            List<Long> checkpoint) {
        this.core = core;
        this.blocks = blocks;
        this.bricks = bricks;
        this.manifest = manifest;
        this.epoch = epoch;
        this.oldSegments.addAll(recovered);
        this.openedHere.add(first);
        this.checkpoint = checkpoint;
        this.nextSegmentSequence = first.entry().sequence() + 1;
        this.mirror = new LogMirror(bricks, manifest, core);
        this.settler = new Settler(core, bricks);
        this.space = new SpaceKeeper(
                core, bricks, new SpaceKeeper.Term(lastEpoch, epoch, firstBlockSequence), () -> this.checkpoint.size());
        this.thread = Thread.ofPlatform()
                .name("owner-keeper-" + core.config.name())
                .daemon(true)
                .unstarted(this::run);
    }

    SpaceKeeper space() {
        return space;
    }

    /** Whether the manifest is known not to name a mirror. */
    boolean isUnmirrored() {
        return manifest.current().mirror() == 0;
    }

    LogMirror mirror() {
        return mirror;
    }

    Settler settler() {
        return settler;
    }

    void start() {
        core.mirror(mirror);
        thread.start();
        core.wakeKeeperWith(this::wake);
    }

    void wake() {
        wake.release();
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
            space.lookAround();
            return pausedOn(core.spaces.all(), new TreeMap<>(), work);
        } finally {
            roundLock.unlock();
        }
    }

    private <T> T pausedOn(List<Space> left, Map<Integer, Set<Long>> allocated, VolumeChecker.Paused<T> work)
            throws IOException {
        if (!left.isEmpty()) {
            Space next = left.getFirst();
            next.moving.lock();
            try {
                return pausedOn(left.subList(1, left.size()), allocated, work);
            } finally {
                next.moving.unlock();
            }
        }
        core.lock.lock();
        try {
            for (Space each : core.spaces.all()) {
                if (each.isReconciled()) {
                    list(each.brick(), allocated);
                }
            }
            return work.with(logBlocks(), allocated);
        } finally {
            core.lock.unlock();
        }
    }

    private void list(BrickId brick, Map<Integer, Set<Long>> allocated) {
        try {
            allocated.put(brick.value(), bricks.ask(brick, client -> SpaceKeeper.list(client, core.config)));
        } catch (BrickException e) {
            LOG.info("volume {}: brick {} is left out of the check: {}", core.config.name(), brick, e.getMessage());
        }
    }

    /** Blocks of log and checkpoint, by brick. */
    private Map<Integer, Set<Long>> logBlocks() {
        Map<Integer, Set<Long>> own = new HashMap<>();
        Set<Long> all = Set.copyOf(ownBlocks());
        own.put(bricks.local().value(), all);
        BrickId copy = mirror.brick();
        if (copy != null) {
            own.put(copy.value(), all);
        }
        return own;
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
        flush();
        space.reclaim();
        if (rounds++ % ROUNDS_PER_LOOK == 0) {
            space.lookAround();
            settler.settle();
        }
        space.refill(core.spaces.local());
        keepMirror();
        if (checkpointWanted || isCheckpointUnsaid() || usedSegments() >= checkpointThreshold()) {
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

    private void flush() throws IOException {
        try {
            core.sync();
        } catch (FsException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /** Waits until the manifest does not name a mirror that is broken. */
    private void settleMirror() throws IOException {
        try {
            mirror.awaitSettled();
        } catch (FsException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /** Finds the log a mirror if it has none. */
    private void keepMirror() throws IOException, StaleEpochException {
        mirror.noticeLoss();
        mirror.sayComplete();
        if (mirror.state() != LogMirror.State.NONE || --roundsUntilMirror > 0) {
            return;
        }
        BrickId target = mirrorCandidate();
        if (target == null) {
            return;
        }
        roundsUntilMirror = ROUNDS_BEFORE_NEXT_MIRROR;
        List<LogWriter.Segment> growing;
        core.lock.lock();
        try {
            growing = List.copyOf(openedHere.subList(openedHere.indexOf(core.log.current()), openedHere.size()));
        } finally {
            core.lock.unlock();
        }
        flush(); // of what does not grow, nothing is to be flushed later
        Set<Long> still = new LinkedHashSet<>(ownBlocks());
        growing.forEach(segment -> still.remove(segment.entry().block()));
        mirror.build(target, still.stream().map(BlockId::new).toList(), growing);
    }

    /** The brick with the most room among those that have enough of it. */
    private @Nullable BrickId mirrorCandidate() {
        BrickId best = null;
        long most = 0;
        for (BrickId brick : bricks.others()) {
            Space there = core.spaces.find(brick);
            BrickInfo info = there == null ? null : there.info();
            if (there != null
                    && info != null
                    && there.isReconciled()
                    && info.freeBlocks() > Math.max(most, segmentsInUse() + 8L)) {
                best = brick;
                most = info.freeBlocks();
            }
        }
        return best;
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
        prepared.forEach(mirror::add);
        settleMirror();
        core.roomWaitsForManifest(true);
        manifest.change(m -> m.withSegments(all));
        core.roomWaitsForManifest(false);
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
            id = core.grant(1)[0];
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
                return core.spaces.local().takeReserve();
            } finally {
                core.lock.unlock();
            }
        }
    }

    /** Writes a checkpoint and drops the log before it. Keeper thread, or the closing thread after {@link #stop}. */
    void checkpointNow() throws IOException, StaleEpochException {
        Finished written = finished;
        if (written == null) {
            written = writeCheckpoint();
            finished = written;
        }
        flush();
        settleMirror();
        List<LogWriter.Segment> dropped = List.copyOf(openedHere.subList(0, written.keepFrom));
        List<LogWriter.Segment> kept = List.copyOf(openedHere.subList(written.keepFrom, openedHere.size()));
        List<Manifest.Entry> entries = new ArrayList<>();
        kept.forEach(s -> entries.add(s.entry()));
        long first = written.blocks.getFirst().value();
        long startLsn = written.startLsn;
        long endLsn = written.endLsn;
        manifest.change(m -> m.withCheckpoint(first, startLsn, endLsn, entries));
        finished = null;
        List<BlockId> free = new ArrayList<>();
        checkpoint.forEach(b -> free.add(new BlockId(b)));
        oldSegments.forEach(s -> free.add(new BlockId(s.block())));
        dropped.forEach(s -> {
            blocks.brick().unmap(s.home());
            free.add(new BlockId(s.entry().block()));
        });
        oldSegments.clear();
        openedHere.clear();
        openedHere.addAll(kept);
        checkpoint = written.blocks.stream().map(BlockId::value).toList();
        free(free);
    }

    /** Whether one is only to be entered in the manifest. As {@link #checkpointNow}. */
    boolean isCheckpointUnsaid() {
        return finished != null;
    }

    private Finished writeCheckpoint() throws BrickException {
        Checkpointer writer = new Checkpointer(core, blocks, mirror, epoch, manifest.current());
        int[] keepFrom = {0};
        try {
            writer.run(() -> keepFrom[0] = openedHere.indexOf(core.log.current()));
        } catch (BrickException e) {
            free(writer.blocks());
            throw e;
        }
        return new Finished(List.copyOf(writer.blocks()), writer.startLsn(), writer.endLsn(), keepFrom[0]);
    }

    private void free(List<BlockId> unused) throws BrickException {
        if (!unused.isEmpty()) {
            mirror.free(unused);
            blocks.brick().free(unused.toArray(BlockId[]::new));
        }
    }

    /** Records that the log is complete as it is. The log was flushed. {@code heir}: the node to own the volume next, 0 for any. */
    void closeCleanly(long lastLsn, int heir) throws IOException, StaleEpochException {
        manifest.change(m -> m.closedAt(lastLsn, heir));
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
        if (finished != null) {
            finished.blocks.forEach(block -> own.add(block.value()));
        }
        return own;
    }
}
