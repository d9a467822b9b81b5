package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.StaleEpochException;
import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The second copy of log and checkpoint, on a brick of another node, block for block under the same ids.
 *
 * <p>The rule: while the manifest names a mirror, whatever is answered is there as well. So answers wait until the records that they rest on are copied:
 * one of those who wait copies for all, by one-sided writes. If that fails, nothing is answered until the manifest does not name the mirror any more.
 * That is how a deposed owner falls silent too: the next one fences it on the mirror first, and then its changes of the manifest fail.
 *
 * <p>Thread-safe. Built and maintained by the keeper's thread. Lock order: the copying lock, then the owner's.
 */
final class LogMirror implements LogWriter.Copy {
    private static final Logger LOG = LoggerFactory.getLogger(LogMirror.class);
    private static final long RETRY_MS = 100;

    /** What the copy is worth. */
    enum State {
        /** There is none. */
        NONE,
        /** Being made; nobody relies on it. */
        BUILDING,
        /** Complete, as the manifest says or is about to. */
        COMPLETE,
        /** Broken, but the manifest may say that it is complete. */
        BROKEN;

        boolean mayBecome(State next) {
            return switch (this) {
                case NONE -> next == BUILDING;
                case BUILDING -> next == COMPLETE || next == NONE;
                case COMPLETE -> next == BROKEN;
                case BROKEN -> next == NONE;
            };
        }
    }

    private final OwnerBricks bricks;
    private final ManifestKeeper manifest;
    private final OwnerCore core;

    /** Held by who copies. */
    private final ReentrantLock copying = new ReentrantLock();

    private final Condition changed = copying.newCondition();
    /** Changed under the copying lock, as is what follows. */
    private volatile State state = State.NONE;

    private volatile @Nullable BrickId brick;
    /** Records up to here are in the copy, or need not be. */
    private volatile long copiedLsn = Long.MAX_VALUE;

    /** Of the segments that may still be written or flushed. */
    private final Map<Long, OwnerBricks.Mapped> segments = new HashMap<>();
    /** All that was ever allocated for the copy. */
    private final Set<Long> allocated = new HashSet<>();

    LogMirror(OwnerBricks bricks, ManifestKeeper manifest, OwnerCore core) {
        this.bricks = bricks;
        this.manifest = manifest;
        this.core = core;
    }

    State state() {
        return state;
    }

    /** Of the copy that is there or being made. */
    @Nullable
    BrickId brick() {
        return brick;
    }

    /** Whether new blocks of the log go to the copy as well. */
    boolean isKept() {
        return state == State.BUILDING || state == State.COMPLETE;
    }

    private boolean answersWait() {
        return state == State.COMPLETE || state == State.BROKEN;
    }

    private void become(State next) {
        if (!state.mayBecome(next)) {
            throw new IllegalStateException("a mirror that is " + state + " cannot become " + next);
        }
        state = next;
        changed.signalAll();
    }

    /** Returns when what the owner knew at {@code lsn} may be told: it will survive the death of this node. */
    void await(long lsn) throws FsException {
        if (copiedLsn >= lsn) {
            return;
        }
        copying.lock();
        try {
            while (copiedLsn < lsn) {
                core.checkRunning();
                if (state == State.BROKEN) {
                    changed.awaitUninterruptibly();
                } else {
                    copyTail();
                }
            }
        } finally {
            copying.unlock();
        }
    }

    /** The copying lock is held. A failure breaks the copy, whatever it is: who comes next does not hear of these records again. */
    private void copyTail() {
        List<LogWriter.Range> ranges;
        long upTo;
        core.lock.lock();
        try {
            ranges = core.log.takeUncopied();
            upTo = core.log.lastLsn();
        } finally {
            core.lock.unlock();
        }
        try {
            for (LogWriter.Range range : ranges) {
                BlockHandle copy = handle(range.segment());
                copy.write(range.from(), memory(range.segment().home()), range.from(), range.bytes());
            }
            if (state == State.COMPLETE) {
                copiedLsn = upTo;
            }
        } catch (BrickException | RuntimeException e) {
            broken(e);
        } catch (Error e) {
            broken(e);
            throw e;
        }
    }

    private BlockHandle handle(LogWriter.Segment segment) throws BrickException {
        OwnerBricks.Mapped copy = segments.get(segment.entry().block());
        if (copy == null) {
            throw new BrickException(
                    Reason.NOT_FOUND, "segment " + segment.entry().sequence() + " has no copy");
        }
        return copy.handle();
    }

    private static MemorySegment memory(BlockHandle home) {
        MemorySegment memory = home.memory();
        if (memory == null) {
            throw new IllegalStateException("the log is on a brick of another process");
        }
        return memory;
    }

    @Override
    public void flush(List<LogWriter.Range> ranges, long lsn) throws FsException {
        if (!answersWait()) {
            return; // what is being built is flushed when it is complete
        }
        await(lsn);
        copying.lock();
        try {
            if (state == State.COMPLETE) {
                for (LogWriter.Range range : ranges) {
                    handle(range.segment()).flush(range.from(), range.bytes());
                }
            }
        } catch (BrickException | RuntimeException e) {
            broken(e);
        } catch (Error e) {
            broken(e);
            throw e;
        } finally {
            copying.unlock();
        }
        awaitSettled();
    }

    /** Returns once the manifest is right about the copy. */
    void awaitSettled() throws FsException {
        copying.lock();
        try {
            while (state == State.BROKEN) {
                core.checkRunning();
                changed.awaitUninterruptibly();
            }
        } finally {
            copying.unlock();
        }
    }

    /** Wakes who waits, to find out that the owner has stopped. */
    void stopped() {
        Thread.startVirtualThread(() -> {
            copying.lock();
            try {
                changed.signalAll();
            } finally {
                copying.unlock();
            }
        });
    }

    /** A new segment, formatted at home, before the manifest names it. */
    void add(LogWriter.Segment segment) {
        copying.lock();
        try {
            if (isKept()) {
                map(segment);
                BlockHandle copy = handle(segment);
                copy.write(0, memory(segment.home()), 0, LogFormat.HEADER_BYTES);
                copy.flush(0, LogFormat.HEADER_BYTES);
            }
        } catch (BrickException e) {
            broken(e);
        } finally {
            copying.unlock();
        }
    }

    private void map(LogWriter.Segment segment) throws BrickException {
        BlockId id = new BlockId(segment.entry().block());
        allocate(id);
        segments.put(id.value(), bricks.map(target(), id, Access.READ_WRITE));
    }

    /**
     * The start of a block that does not change any more, before the manifest names it.
     *
     * @throws BrickException it cannot be read here
     */
    void copy(BlockId id, int bytes) throws BrickException {
        copying.lock();
        try {
            if (isKept()) {
                allocated.add(id.value());
                copyFromHome(id, bytes);
            }
        } finally {
            copying.unlock();
        }
    }

    /** That the block cannot be read here is not the copy's fault, and no reason to give that up. */
    private void copyFromHome(BlockId id, int bytes) throws BrickException {
        OwnerBricks.Mapped source = bricks.map(bricks.local(), id, Access.READ);
        try {
            write(bricks, target(), id, memory(source.handle()), bytes);
        } catch (BrickException e) {
            broken(e);
        } finally {
            source.unmap();
        }
    }

    private static void write(OwnerBricks bricks, BrickId to, BlockId id, MemorySegment bytes, int length)
            throws BrickException {
        allocateUnlessThere(bricks, to, id);
        OwnerBricks.Mapped target = bricks.map(to, id, Access.READ_WRITE);
        try {
            target.handle().write(0, bytes, 0, length);
            target.handle().flush(0, length);
        } finally {
            target.unmap();
        }
    }

    /** Makes a durable copy of another node's block on this node's brick, under the same id. */
    static void bringHome(OwnerBricks bricks, BrickId from, BlockId id) throws BrickException {
        OwnerBricks.Mapped source = bricks.map(from, id, Access.READ);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(LogFormat.SEGMENT_BYTES);
            source.handle().read(0, bytes, 0, LogFormat.SEGMENT_BYTES);
            write(bricks, bricks.local(), id, bytes, LogFormat.SEGMENT_BYTES);
        } finally {
            source.unmap();
        }
    }

    private void allocate(BlockId id) throws BrickException {
        allocated.add(id.value());
        allocateUnlessThere(bricks, target(), id);
    }

    /** It may be there from an earlier copy. */
    private static void allocateUnlessThere(OwnerBricks bricks, BrickId brick, BlockId id) throws BrickException {
        try {
            bricks.tell(brick, client -> client.alloc(id));
        } catch (BrickException e) {
            if (e.reason() != Reason.EXISTS) {
                throw e;
            }
        }
    }

    /** Blocks of the log that are used no more. The manifest does not name them. */
    void free(List<BlockId> dropped) {
        copying.lock();
        try {
            List<BlockId> mine = dropped.stream()
                    .filter(id -> allocated.contains(id.value()))
                    .toList();
            BrickId target = brick;
            if (mine.isEmpty() || target == null || !isKept()) {
                return;
            }
            List<OwnerBricks.Mapped> mapped = new ArrayList<>();
            for (BlockId id : mine) {
                allocated.remove(id.value());
                OwnerBricks.Mapped copy = segments.remove(id.value());
                if (copy != null) {
                    mapped.add(copy);
                }
            }
            OwnerBricks.Mapped.unmapAll(mapped);
            core.lock.lock();
            try {
                core.spaces.of(target).freeLater(mine);
            } finally {
                core.lock.unlock();
            }
        } finally {
            copying.unlock();
        }
    }

    private BrickId target() throws BrickException {
        BrickId target = brick;
        if (target == null) {
            throw new BrickException(Reason.UNREACHABLE, "the log has no mirror");
        }
        return target;
    }

    /**
     * Makes a copy. Meanwhile the log grows, but no block of it comes or goes: the keeper's thread.
     *
     * @param still blocks that do not change any more
     * @param growing the current segment and those that follow it
     * @return whether it is complete and the manifest says so
     */
    boolean build(BrickId target, List<BlockId> still, List<LogWriter.Segment> growing)
            throws IOException, StaleEpochException {
        copying.lock();
        try {
            become(State.BUILDING);
            brick = target;
            claim(target, still, growing);
            for (BlockId id : still) {
                if (state == State.BUILDING) {
                    copyFromHome(id, LogFormat.SEGMENT_BYTES);
                }
            }
            if (state != State.BUILDING) {
                return false;
            }
            for (LogWriter.Segment segment : growing) {
                map(segment);
            }
            core.lock.lock();
            try {
                core.log.beginCopy(growing);
            } finally {
                core.lock.unlock();
            }
            copyTail(); // most of it, while answers do not wait
            complete();
        } catch (BrickException e) {
            broken(e);
        } finally {
            copying.unlock();
        }
        if (state != State.COMPLETE) {
            return false;
        }
        // Answers wait for the copy already, so nothing is missing in it at the moment when the manifest begins to name
        // it.
        sayComplete();
        LOG.info("volume {}: the log is mirrored on brick {}", core.config.name(), target);
        return true;
    }

    /** Finds out that the copy cannot be written any more before somebody has to wait for it: another can be made only while the manifest is there. */
    void noticeLoss() {
        copying.lock();
        try {
            if (state == State.COMPLETE
                    && !segments.values().stream()
                            .allMatch(copy -> copy.handle().alive())) {
                broken(new BrickException(Reason.DEAD_HANDLE, "the connection has ended"));
            }
        } finally {
            copying.unlock();
        }
    }

    /**
     * Returns if the copy's brick refuses this owner nothing, and did not since the copy was complete. Only the connections over which the copy was made can say
     * that: a brick that was started anew has forgotten whom it refused.
     *
     * @throws BrickException FENCED: there is another owner; else it is not known
     */
    void checkUnfenced() throws BrickException {
        Set<BrickClient> reached = new HashSet<>();
        copying.lock();
        try {
            if (state == State.COMPLETE) {
                segments.values().forEach(copy -> reached.add(copy.client()));
            }
        } finally {
            copying.unlock();
        }
        if (reached.isEmpty()) {
            throw new BrickException(Reason.UNREACHABLE, "the log has no mirror");
        }
        for (BrickClient client : reached) {
            client.list(BlockId.of(core.config.number(), 0), 1); // any call will do
        }
    }

    /** Has the manifest name the copy, unless it broke; if it breaks later, that is written after this. */
    void sayComplete() throws IOException, StaleEpochException {
        BrickId target = brick;
        if (target != null && manifest.current().mirror() != target.value()) {
            manifest.change(m -> state == State.COMPLETE ? m.withMirror(target.value()) : m);
        }
    }

    /** An earlier copy may have left blocks of these ids on the brick: they are not to be freed now, nor taken for somebody's. */
    private void claim(BrickId target, List<BlockId> still, List<LogWriter.Segment> growing) {
        Set<Long> ids = new HashSet<>();
        still.forEach(id -> ids.add(id.value()));
        growing.forEach(segment -> ids.add(segment.entry().block()));
        Space space = core.spaceOf(target);
        space.moving.lock(); // nothing that was to be freed is on its way any more
        try {
            core.lock.lock();
            try {
                space.disclaim(ids);
            } finally {
                core.lock.unlock();
            }
            allocated.addAll(ids);
        } finally {
            space.moving.unlock();
        }
    }

    /** From here on answers wait. The copying lock is held. */
    private void complete() throws BrickException {
        if (state != State.BUILDING) {
            return; // it broke
        }
        copiedLsn = 0;
        become(State.COMPLETE);
        copyTail();
        if (state == State.COMPLETE) {
            for (OwnerBricks.Mapped copy : segments.values()) {
                copy.handle().flush(0, LogFormat.SEGMENT_BYTES);
            }
        }
    }

    /** The copying lock is held. */
    private void broken(Throwable e) {
        if (!isKept()) {
            return;
        }
        String volume = core.config.name();
        if (e instanceof BrickException) {
            LOG.warn("volume {}: the mirror of the log on brick {} is broken: {}", volume, brick, e.getMessage());
        } else {
            LOG.error("volume {}: the mirror of the log on brick {} is broken", volume, brick, e);
        }
        if (state == State.BUILDING) {
            drop();
        } else {
            become(State.BROKEN);
            Thread.startVirtualThread(this::disown);
        }
    }

    /** Takes a broken copy out of the manifest. */
    private void disown() {
        while (!core.isStopped()) {
            try {
                manifest.change(m -> m.withMirror(0));
                copying.lock();
                try {
                    drop();
                } finally {
                    copying.unlock();
                }
                core.wakeKeeper();
                return;
            } catch (StaleEpochException e) {
                core.stop(String.valueOf(e.getMessage()));
            } catch (RuntimeException e) {
                LOG.error("volume {}: the mirror cannot be given up", core.config.name(), e);
                core.stop("the mirror cannot be given up: " + e); // else who waits for it would do so for ever
            } catch (IOException e) {
                LOG.warn(
                        "volume {}: the log is not mirrored, and that cannot be written down: {}",
                        core.config.name(),
                        e.getMessage());
                try {
                    Thread.sleep(RETRY_MS);
                } catch (InterruptedException interrupted) {
                    core.stop("interrupted");
                }
            }
        }
    }

    /** The copying lock is held, and the manifest does not name the copy. */
    private void drop() {
        BrickId target = brick;
        List<BlockId> left = new ArrayList<>();
        allocated.forEach(block -> left.add(new BlockId(block)));
        allocated.clear();
        core.lock.lock();
        try {
            core.log.endCopy();
            if (target != null) {
                core.spaces.of(target).freeLater(left);
            }
        } finally {
            core.lock.unlock();
        }
        List<OwnerBricks.Mapped> mapped = List.copyOf(segments.values());
        segments.clear();
        brick = null;
        copiedLsn = Long.MAX_VALUE;
        become(State.NONE);
        OwnerBricks.Mapped.unmapAll(mapped);
    }
}
