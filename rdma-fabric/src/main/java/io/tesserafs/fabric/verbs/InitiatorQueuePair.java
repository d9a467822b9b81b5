package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import io.tesserafs.fabric.brick.OperationGate;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The active end of a queue pair. Bytes go straight from and to memory that the device knows, others through registered slots; an operation
 * that does not fit into one goes in pieces. After the first
 * failure every operation fails, as the device gives the queue pair up too. Thread-safe.
 */
final class InitiatorQueuePair {
    private static final Logger LOG = LoggerFactory.getLogger(InitiatorQueuePair.class);

    /** Operations under way at a time; more wait. */
    private static final int SLOTS = 8;

    static final int SLOT_BYTES = 256 << 10;

    /** What most devices take for nothing, as a request is about as large. */
    private static final int INLINE_BYTES = 64;

    /** A flush reads so little that nothing but the order counts. */
    private static final int FLUSH_BYTES = 1;

    private static final int CONNECT_MS = 10_000;

    private final VerbsBinding binding;
    private final LocalDevice device;
    private final Offer offer;
    private final Arena arena = Arena.ofShared();
    private final BlockingQueue<Slot> slots = new ArrayBlockingQueue<>(SLOTS);
    private final OperationGate gate = new OperationGate();
    private final CountDownLatch released = new CountDownLatch(1);
    private final Connector connector;
    /** What a write may carry in its request. */
    private int inlineBytes;

    private @Nullable IbvCompChannel channel;
    private @Nullable IbvCQ queue;
    private @Nullable IbvMr memory;
    private IbvQP qp;
    private Completions completions;
    private volatile boolean broken;

    /** Connects. */
    InitiatorQueuePair(LocalDevice device, Offer offer) throws IOException {
        this.binding = device.binding();
        this.device = device;
        this.offer = offer;
        if (!device.retain()) {
            throw new IOException("RDMA is not used any more");
        }
        this.connector = connect(device);
        try {
            connector.resolve(device.address(), offer.address());
            IbvCompChannel events = connector.id().getVerbs().createCompChannel();
            channel = events;
            IbvCQ completionQueue = connector.id().getVerbs().createCQ(events, 2 * SLOTS, 0);
            queue = completionQueue;
            qp = createQueuePair(completionQueue);
            MemorySegment buffers = arena.allocate((long) SLOTS * SLOT_BYTES, 4096);
            IbvMr registered = binding.register(device.pd(), buffers, IbvMr.IBV_ACCESS_LOCAL_WRITE);
            memory = registered;
            Slot[] all = new Slot[SLOTS];
            for (int i = 0; i < SLOTS; i++) {
                all[i] = new Slot(i, qp, registered, buffers.asSlice((long) i * SLOT_BYTES, SLOT_BYTES));
            }
            slots.addAll(List.of(all));
            completions = new Completions(completionQueue, events, this::look, all);
            connector.connect(offer);
        } catch (IOException | RuntimeException e) {
            try {
                release();
            } catch (IOException more) {
                e.addSuppressed(more);
            }
            throw e;
        }
    }

    private static Connector connect(LocalDevice device) throws IOException {
        try {
            return new Connector(CONNECT_MS);
        } catch (IOException e) {
            QueuePairs.all(device::release);
            throw e;
        }
    }

    private IbvQP createQueuePair(IbvCQ completionQueue) throws IOException {
        try {
            IbvQP made = QueuePairs.create(connector.id(), device.pd(), completionQueue, SLOTS, INLINE_BYTES);
            inlineBytes = INLINE_BYTES;
            return made;
        } catch (IOException e) {
            LOG.debug("{}: without inline data ({})", this, e.getMessage());
            return QueuePairs.create(connector.id(), device.pd(), completionQueue, SLOTS, 0);
        }
    }

    /** As the target numbers it. */
    int number() {
        return offer.number();
    }

    boolean flushByTarget() {
        return offer.flushByTarget();
    }

    boolean isUsable() {
        return !broken && gate.alive();
    }

    /** It is known to be worth nothing any more. */
    void fail() {
        broken = true;
    }

    void write(long remote, int key, MemorySegment source) throws QueuePairException {
        IbvMr known = source.byteSize() <= inlineBytes ? null : device.find(source);
        if (known != null) {
            runInPlace(source, (slot, offset, bytes) -> {
                slot.postWriteFrom(source.address() + offset, known.getLkey(), remote + offset, key, bytes);
                complete(slot);
            });
            return;
        }
        run(source.byteSize(), SLOT_BYTES, (slot, offset, bytes) -> {
            MemorySegment.copy(source, offset, slot.buffer(), 0, bytes);
            if (bytes <= inlineBytes) {
                slot.postInlineWrite(remote + offset, key, bytes);
            } else {
                slot.postWrite(remote + offset, key, bytes);
            }
            complete(slot);
        });
    }

    void read(long remote, int key, MemorySegment target) throws QueuePairException {
        IbvMr known = target.isReadOnly() ? null : device.find(target);
        if (known != null) {
            runInPlace(target, (slot, offset, bytes) -> {
                slot.postReadTo(target.address() + offset, known.getLkey(), remote + offset, key, bytes);
                complete(slot);
            });
            return;
        }
        run(target.byteSize(), SLOT_BYTES, (slot, offset, bytes) -> {
            slot.postRead(remote + offset, key, bytes);
            complete(slot);
            MemorySegment.copy(slot.buffer(), 0, target, offset, bytes);
        });
    }

    /** When it returns, all that was written before by this queue pair has left the target's device for its memory. */
    void pushWrites(long remote, int key) throws QueuePairException {
        run(FLUSH_BYTES, SLOT_BYTES, (slot, offset, bytes) -> {
            slot.postRead(remote, key, bytes);
            complete(slot);
        });
    }

    /** One piece of an operation: posts it, and returns when it has completed. */
    private interface Piece {
        void run(Slot slot, long offset, int bytes) throws IOException;
    }

    private void runInPlace(MemorySegment memory, Piece piece) throws QueuePairException {
        try {
            run(memory.byteSize(), Integer.MAX_VALUE, piece);
        } finally {
            Reference.reachabilityFence(memory);
        }
    }

    private void run(long bytes, int pieceBytes, Piece piece) throws QueuePairException {
        if (!gate.enter()) {
            throw new QueuePairException(this + " is closed");
        }
        boolean unreturned = false;
        try {
            Slot slot = takeSlot();
            try {
                if (broken) {
                    throw new QueuePairException(this + " failed"); // the slot's memory may still be the device's
                }
                for (long at = 0; at < bytes; at += pieceBytes) {
                    piece.run(slot, at, (int) Math.min(pieceBytes, bytes - at));
                }
            } finally {
                slots.add(slot);
            }
        } catch (QueuePairException e) {
            broken = true;
            throw e;
        } catch (IOException e) {
            broken = true;
            unreturned = e instanceof UnreturnedException;
            throw new QueuePairException(this + ": " + e.getMessage(), e);
        } finally {
            gate.exit();
            if (unreturned) {
                closeForCertain();
            }
        }
    }

    private Slot takeSlot() {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return slots.take();
                } catch (InterruptedException e) {
                    interrupted = true; // slots come back: every operation completes
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** A peer that has gone answers nothing; the device would try for many seconds, or not notice at all. */
    private void look(boolean overdue) throws IOException {
        if (overdue || connector.isDisconnected()) {
            binding.abort(connector.id());
        }
    }

    private void complete(Slot slot) throws IOException {
        completions.await(slot);
        if (slot.status() != 0) {
            throw new QueuePairException(this + ": " + IbvWcStatus.valueOf(slot.status()));
        }
    }

    /** Ends what is under way with an error, waits for that, and releases all. Idempotent. */
    void close() throws IOException {
        broken = true;
        if (gate.kill()) {
            QueuePairs.all(() -> binding.abort(connector.id()), gate::awaitIdle, this::release, released::countDown);
        }
    }

    /** The caller of an operation gets his memory back only when the device cannot touch it any more. */
    private void closeForCertain() {
        try {
            close();
        } catch (IOException e) {
            LOG.warn("{}: {}", this, e.getMessage());
        }
        boolean interrupted = false;
        while (true) {
            try {
                released.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true; // whoever closes does not wait for long
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void release() throws IOException {
        IbvMr registered = memory;
        IbvCQ completionQueue = queue;
        IbvCompChannel events = channel;
        QueuePairs.all(
                connector.id()::destroyQP,
                () -> {
                    if (registered != null) {
                        binding.deregister(registered);
                    }
                    arena.close(); // not if the device still has it: lost memory is better than memory that changes
                    // by itself
                },
                () -> {
                    if (completionQueue != null) {
                        completionQueue.destroyCQ();
                    }
                },
                () -> {
                    if (events != null) {
                        events.destroyCompChannel();
                    }
                },
                connector::close,
                device::release);
    }

    @Override
    public String toString() {
        return "queue pair " + offer.number() + " to " + offer.address();
    }
}
