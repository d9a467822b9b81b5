package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.OperationGate;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.verbs.InitiatorQueuePair.Push;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A handle whose bytes travel by RDMA. It lives as long as the handle beneath it, whose life is the target's to end; that one also does
 * what RDMA cannot.
 *
 * <p>The steps of an operation: the target registers the block and names its key (once for each queue pair; often with the handle, or with a neighbour's), the request is posted, it
 * completes, and in the end UNMAP, FREE or FENCE invalidates the key. A key that is refused says only that something ended: the
 * target is asked, which knows whether that was the handle.
 */
final class VerbsHandle implements BlockHandle {
    private static final Logger LOG = LoggerFactory.getLogger(VerbsHandle.class);

    /** The queue pair may have failed because of another handle that died, so an operation is tried on a new one. */
    private static final int ATTEMPTS = 4;

    private final BlockHandle beneath;
    private final boolean memoryOnly;
    private final VerbsSession session;
    private final Neighbours neighbours;
    private final int place;
    private final OperationGate gate = new OperationGate();
    private final WrittenRange written = new WrittenRange();
    private volatile @Nullable Region region;

    /** The block as one queue pair reaches it. */
    private record Region(InitiatorQueuePair qp, RemoteKey prepared) {}

    /** @param place among the neighbours */
    VerbsHandle(BlockHandle beneath, boolean memoryOnly, VerbsSession session, Neighbours neighbours, int place) {
        this.beneath = beneath;
        this.memoryOnly = memoryOnly;
        this.session = session;
        this.neighbours = neighbours;
        this.place = place;
    }

    /** The target has given it a key for a queue pair. */
    void prepared(InitiatorQueuePair qp, RemoteKey key) {
        region = new Region(qp, key);
    }

    boolean isPrepared(InitiatorQueuePair qp) {
        return key(qp) != null;
    }

    BlockHandle beneath() {
        return beneath;
    }

    @Override
    public BlockId block() {
        return beneath.block();
    }

    @Override
    public BrickId brick() {
        return beneath.brick();
    }

    @Override
    public Access access() {
        return beneath.access();
    }

    @Override
    public boolean alive() {
        return gate.alive() && beneath.alive();
    }

    @Override
    public @Nullable MemorySegment memory() {
        return null;
    }

    @Override
    public void read(long offset, MemorySegment target, long targetOffset, long length) throws BrickException {
        run(offset, length, () -> {
            MemorySegment part = target.asSlice(targetOffset, length);
            if (byQueuePair(at -> at.qp.read(at.prepared.address() + offset, at.prepared.key(), part))) {
                session.traffic().read(length);
            } else {
                beneath.read(offset, target, targetOffset, length);
            }
        });
    }

    @Override
    public void write(long offset, MemorySegment source, long sourceOffset, long length) throws BrickException {
        if (access() != Access.READ_WRITE && alive()) {
            throw new BrickException(Reason.ACCESS, "write through a handle for reading, " + this);
        }
        run(offset, length, () -> {
            MemorySegment part = source.asSlice(sourceOffset, length);
            boolean done = byQueuePair(at -> {
                at.qp.write(at.prepared.address() + offset, at.prepared.key(), part);
                written.wrote(at.qp, offset, length);
            });
            if (done) {
                session.traffic().written(length);
            } else {
                written.forget();
                beneath.write(offset, source, sourceOffset, length);
            }
        });
    }

    @Override
    public void flush(long offset, long length) throws BrickException {
        run(offset, length, () -> {
            FlushWay[] way = {FlushWay.CALL};
            boolean done = byQueuePair(at -> {
                way[0] = flushWay(at.qp, offset, length);
                push(at, way[0], offset, length);
            });
            if (!done || way[0] == FlushWay.CALL) {
                beneath.flush(offset, length);
            }
        });
    }

    private FlushWay flushWay(InitiatorQueuePair qp, long offset, long length) {
        boolean byDevice = qp.flushByDevice() && session.mayFlushByDevice();
        return FlushWay.of(memoryOnly, byDevice, written.covers(qp, offset, length), qp.flushByTarget());
    }

    /** If a FLUSH fails, the next attempt is on another queue pair, where it takes another way. */
    private void push(Region at, FlushWay way, long offset, long length) throws QueuePairException {
        try {
            at.qp.push(List.of(request(at, way, offset, length)));
        } catch (QueuePairException e) {
            pushFailed(way, e);
            throw e;
        }
        pushed(way);
    }

    void pushFailed(FlushWay way, QueuePairException failure) {
        if (way == FlushWay.DEVICE) {
            session.flushFailed(String.valueOf(failure.getMessage()));
        }
    }

    private static Push request(Region at, FlushWay way, long offset, long length) {
        boolean byDevice = way == FlushWay.DEVICE;
        long remote = at.prepared.address() + (byDevice ? offset : 0);
        return new Push(remote, at.prepared.key(), (int) length, byDevice);
    }

    private void pushed(FlushWay way) {
        if (way == FlushWay.DEVICE) {
            session.flushedByDevice();
        }
    }

    /**
     * What a flush of a range takes; to be made along with others. Until {@link #leaveFlush} the handle counts as busy.
     *
     * @return null if it cannot be said, or not for this queue pair: then the handle is not busy
     */
    @Nullable
    FlushStep enterFlush(InitiatorQueuePair qp, FlushRange range) {
        if (!range.isInBounds() || !enter()) {
            return null;
        }
        Region at = region;
        if (at == null || !at.qp.equals(qp)) {
            gate.exit();
            return null;
        }
        FlushWay way = flushWay(qp, range.offset(), range.length());
        return new FlushStep(this, way, request(at, way, range.offset(), range.length()), range);
    }

    /** @param done whether the step's request has completed */
    void leaveFlush(FlushStep step, boolean done) {
        if (done) {
            pushed(step.way());
        }
        gate.exit();
    }

    /** Counts as busy until {@link #exit}; false if it is dead. */
    boolean enter() {
        if (!gate.enter()) {
            return false;
        }
        if (!beneath.alive()) {
            gate.exit();
            return false;
        }
        return true;
    }

    void exit() {
        gate.exit();
    }

    /** Where this queue pair reaches the block; null if the target has not said. */
    @Nullable
    RemoteKey key(InitiatorQueuePair qp) {
        Region known = region;
        return known != null && known.qp.equals(qp) ? known.prepared : null;
    }

    /** Bytes have gone between the block and memory here by this queue pair; the handle counts as busy. */
    void moved(OneSided kind, InitiatorQueuePair qp, long offset, long length) {
        if (kind == OneSided.READ) {
            session.traffic().read(length);
        } else {
            written.wrote(qp, offset, length);
            session.traffic().written(length);
        }
    }

    private interface Operation {
        void run() throws BrickException;
    }

    private void run(long offset, long length, Operation operation) throws BrickException {
        if (!gate.enter()) {
            throw new BrickException(Reason.DEAD_HANDLE, this + " is dead");
        }
        try {
            if (!beneath.alive()) {
                beneath.read(0, MemorySegment.NULL, 0, 0); // throws why
            }
            if (offset < 0 || length < 0 || offset > BlockId.BLOCK_BYTES - length) {
                throw new BrickException(Reason.OUT_OF_BOUNDS, this + ": offset " + offset + ", length " + length);
            }
            operation.run();
        } finally {
            gate.exit();
        }
    }

    private interface Transfer {
        void run(Region at) throws QueuePairException;
    }

    /** Returns false if it has to go another way; then nothing of this attempt lands any more. */
    private boolean byQueuePair(Transfer transfer) {
        try {
            for (int attempt = 1; ; attempt++) {
                try {
                    transfer.run(region());
                    return true;
                } catch (QueuePairException e) {
                    LOG.debug("{}, attempt {}: {}", this, attempt, e.getMessage());
                    if (attempt == ATTEMPTS) {
                        throw e;
                    }
                }
            }
        } catch (BrickException e) {
            LOG.debug("{}: {}", this, e.getMessage());
            return false; // the handle beneath hears the same, and dies of it
        } catch (PeerException e) {
            switch (e.reason()) {
                case UNREACHABLE,
                        LOST -> {} // the handle beneath ends with the connection, and knows what that means for a write
                case REFUSED, BAD_REQUEST, FAILED -> session.giveUp(String.valueOf(e.getMessage()));
            }
            return false;
        } catch (IOException | IllegalArgumentException e) {
            session.giveUp(String.valueOf(e.getMessage()));
            return false;
        }
    }

    /** The same range of the handle that does what RDMA cannot. */
    FlushRange beneath(FlushRange range) {
        return new FlushRange(beneath, range.offset(), range.length());
    }

    private Region region() throws IOException {
        while (true) {
            Region known = region;
            InitiatorQueuePair qp = session.queuePair();
            if (known != null && known.qp.equals(qp)) {
                return known;
            }
            neighbours.prepare(place, this, qp);
        }
    }

    /** New operations fail from now on, and none is under way when it returns. */
    void kill() {
        gate.kill();
        gate.awaitIdle();
        leave();
    }

    boolean isOf(VerbsSession some) {
        return session.equals(some);
    }

    /** Nobody prepares it along with others any more. */
    void leave() {
        neighbours.remove(place);
    }

    @Override
    public String toString() {
        return beneath + ", by RDMA";
    }
}
