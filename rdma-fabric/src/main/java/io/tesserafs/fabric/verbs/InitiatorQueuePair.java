package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import io.tesserafs.fabric.brick.OperationGate;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * The active end of a queue pair. Bytes go through registered slots; an operation that does not fit into one goes in pieces. After the first
 * failure every operation fails, as the device gives the queue pair up too. Thread-safe.
 */
final class InitiatorQueuePair {
    /** Operations under way at a time; more wait. */
    private static final int SLOTS = 8;

    static final int SLOT_BYTES = 256 << 10;

    /** A flush reads so little that nothing but the order counts. */
    private static final int FLUSH_BYTES = 1;

    private final RdmaCore core;
    private final Offer offer;
    private final Arena arena = Arena.ofShared();
    private final BlockingQueue<Slot> slots = new ArrayBlockingQueue<>(SLOTS);
    private final OperationGate gate = new OperationGate();
    private final Connector connector;
    private @Nullable IbvPd pd;
    private @Nullable IbvCompChannel channel;
    private @Nullable IbvCQ queue;
    private @Nullable IbvMr memory;
    private IbvQP qp;
    private Completions completions;
    private volatile boolean broken;

    /** Connects. */
    InitiatorQueuePair(RdmaCore core, InetAddress from, Offer offer) throws IOException {
        this.core = core;
        this.offer = offer;
        this.connector = new Connector();
        try {
            connector.resolve(from, offer.address());
            IbvPd domain = connector.id().getVerbs().allocPd();
            pd = domain;
            IbvCompChannel events = connector.id().getVerbs().createCompChannel();
            channel = events;
            IbvCQ completionQueue = connector.id().getVerbs().createCQ(events, 2 * SLOTS, 0);
            queue = completionQueue;
            qp = QueuePairs.create(connector.id(), domain, completionQueue, SLOTS);
            MemorySegment buffers = arena.allocate((long) SLOTS * SLOT_BYTES, 4096);
            IbvMr registered = core.register(domain, buffers, IbvMr.IBV_ACCESS_LOCAL_WRITE);
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

    void write(long remote, int key, MemorySegment source) throws QueuePairException {
        run(source.byteSize(), (slot, offset, bytes) -> {
            MemorySegment.copy(source, offset, slot.buffer(), 0, bytes);
            slot.postWrite(remote + offset, key, bytes);
            complete(slot);
        });
    }

    void read(long remote, int key, MemorySegment target) throws QueuePairException {
        run(target.byteSize(), (slot, offset, bytes) -> {
            slot.postRead(remote + offset, key, bytes);
            complete(slot);
            MemorySegment.copy(slot.buffer(), 0, target, offset, bytes);
        });
    }

    /** When it returns, all that was written before by this queue pair has left the target's device for its memory. */
    void pushWrites(long remote, int key) throws QueuePairException {
        run(FLUSH_BYTES, (slot, offset, bytes) -> {
            slot.postRead(remote, key, bytes);
            complete(slot);
        });
    }

    /** One piece of an operation: posts it, and returns when it has completed. */
    private interface Piece {
        void run(Slot slot, long offset, int bytes) throws IOException;
    }

    private void run(long bytes, Piece piece) throws QueuePairException {
        if (!gate.enter()) {
            throw new QueuePairException(this + " is closed");
        }
        try {
            Slot slot = takeSlot();
            try {
                if (broken) {
                    throw new QueuePairException(this + " failed"); // the slot's memory may still be the device's
                }
                for (long at = 0; at < bytes; at += SLOT_BYTES) {
                    piece.run(slot, at, (int) Math.min(SLOT_BYTES, bytes - at));
                }
            } finally {
                slots.add(slot);
            }
        } catch (QueuePairException e) {
            broken = true;
            throw e;
        } catch (IOException e) {
            broken = true;
            throw new QueuePairException(this + ": " + e.getMessage(), e);
        } finally {
            gate.exit();
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
            core.moveToError(qp);
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
            QueuePairs.all(() -> core.moveToError(qp), gate::awaitIdle, this::release);
        }
    }

    private void release() throws IOException {
        IbvMr registered = memory;
        IbvCQ completionQueue = queue;
        IbvCompChannel events = channel;
        IbvPd domain = pd;
        QueuePairs.all(
                connector.id()::destroyQP,
                () -> {
                    if (registered != null) {
                        core.deregister(registered);
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
                () -> {
                    if (domain != null) {
                        domain.deallocPd();
                    }
                },
                connector::close);
    }

    @Override
    public String toString() {
        return "queue pair " + offer.number() + " to " + offer.address();
    }
}
