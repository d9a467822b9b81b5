package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import io.tesserafs.fabric.verbs.rdmacore.RemoteFlush;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The active end of a queue pair. Bytes go straight from and to memory that the device knows, others through registered slots; an operation
 * that does not fit into one goes in pieces, one after the other. What is wanted together, flushes for one, goes in {@link Rows}, and a request among
 * those has several elements of memory where the device does that. See {@link Requests} for what becomes of operations when one fails. Thread-safe.
 */
final class InitiatorQueuePair {
    private static final Logger LOG = LoggerFactory.getLogger(InitiatorQueuePair.class);

    /** Operations under way at a time; more wait. */
    private static final int SLOTS = 8;

    static final int SLOT_BYTES = 256 << 10;

    private static final int REQUESTS = SLOTS * Rows.ROW;

    /** What most devices take for nothing, as a request is about as large. */
    private static final int INLINE_BYTES = 64;

    /** Writes are pushed by reading so little that nothing but the order counts. */
    private static final int PUSH_BYTES = 1;

    private static final int CONNECT_MS = 10_000;

    private final VerbsBinding binding;
    private final LocalDevice device;
    private final Offer offer;
    private final Arena arena = Arena.ofShared();
    private final Requests requests;
    private final Rows.Post<Push> pushing = this::post;
    private final Rows.Completion completion = this::complete;
    private final CountDownLatch released = new CountDownLatch(1);
    private final Connector connector;
    /** What a write may carry in its request. */
    private int inlineBytes;

    /** Of memory, that a request may have by the queue pair; the device may set another limit. */
    private int elements = 1;

    private @Nullable IbvCompChannel channel;
    private @Nullable IbvCQ queue;
    private @Nullable IbvMr memory;
    private IbvQP qp;
    /** Null if one of the two devices does not do it. */
    private @Nullable RemoteFlush flush;

    private Completions completions;

    /** Connects. */
    InitiatorQueuePair(LocalDevice device, Offer offer) throws IOException {
        this.binding = device.binding();
        this.device = device;
        this.offer = offer;
        this.requests = new Requests(name(offer), SLOTS, this::closeForCertain);
        if (!device.retain()) {
            throw new IOException("RDMA is not used any more");
        }
        this.connector = connect(device);
        try {
            connector.resolve(device.address(), offer.address());
            IbvCompChannel events = connector.id().getVerbs().createCompChannel();
            channel = events;
            IbvCQ completionQueue = connector.id().getVerbs().createCQ(events, 2 * REQUESTS, 0);
            queue = completionQueue;
            qp = createQueuePair(completionQueue);
            MemorySegment buffers = arena.allocate((long) SLOTS * SLOT_BYTES, 4096);
            IbvMr registered = binding.register(device.pd(), buffers, IbvMr.IBV_ACCESS_LOCAL_WRITE);
            memory = registered;
            Slot[] all = new Slot[SLOTS];
            for (int i = 0; i < SLOTS; i++) {
                MemorySegment buffer = buffers.asSlice((long) i * SLOT_BYTES, SLOT_BYTES);
                all[i] = new Slot(i, buffer, registered.getLkey(), PreparedPosts.of(qp, i));
            }
            requests.use(all);
            completions = Completions.of(completionQueue, events, this::look, all);
            connector.connect(offer);
        } catch (IOException | RuntimeException | Error e) {
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

    /** The most that it is made with; devices may refuse what they say they can when it comes together. */
    private IbvQP createQueuePair(IbvCQ completionQueue) throws IOException {
        int most = Math.max(device.elements(OneSided.READ), device.elements(OneSided.WRITE));
        try {
            return createQueuePair(completionQueue, most);
        } catch (IOException e) {
            if (most == 1) {
                throw e;
            }
            LOG.debug("{}: without requests of {} elements ({})", this, most, e.getMessage());
            return createQueuePair(completionQueue, 1);
        }
    }

    private IbvQP createQueuePair(IbvCQ completionQueue, int most) throws IOException {
        elements = most;
        try {
            IbvQP made = createQueuePair(completionQueue, most, INLINE_BYTES);
            inlineBytes = INLINE_BYTES;
            return made;
        } catch (IOException e) {
            LOG.debug("{}: without inline data ({})", this, e.getMessage());
            return createQueuePair(completionQueue, most, 0);
        }
    }

    /** With FLUSH, if the target offers it and this host can post it. */
    private IbvQP createQueuePair(IbvCQ completionQueue, int most, int inline) throws IOException {
        RdmaCore core = offer.flushByDevice() ? device.flushing() : null;
        if (core != null) {
            try {
                IbvQP made = QueuePairs.createFlushing(
                        core, connector.id(), device.pd(), completionQueue, REQUESTS, most, inline);
                flush = core.flush(made);
                return made;
            } catch (IOException e) {
                LOG.debug("{}: without FLUSH ({})", this, e.getMessage());
                connector.id().destroyQP();
            }
        }
        return QueuePairs.create(connector.id(), device.pd(), completionQueue, REQUESTS, most, inline);
    }

    /** As the target numbers it. */
    int number() {
        return offer.number();
    }

    boolean flushByTarget() {
        return offer.flushByTarget();
    }

    /** Whether {@link #flush} may be called. */
    boolean flushByDevice() {
        return flush != null;
    }

    boolean isUsable() {
        return requests.isUsable();
    }

    /** It is known to be worth nothing any more. */
    void fail() {
        requests.fail();
    }

    void write(long remote, int key, MemorySegment source) throws QueuePairException {
        try {
            requests.run(slot -> {
                IbvMr known = source.byteSize() <= inlineBytes ? null : device.find(source);
                if (known == null) {
                    writeCopy(slot, remote, key, source);
                    return;
                }
                inPieces(source.byteSize(), Integer.MAX_VALUE, (offset, bytes) -> {
                    slot.postWriteFrom(source.address() + offset, known.getLkey(), remote + offset, key, bytes);
                    complete(slot);
                });
            });
        } finally {
            Reference.reachabilityFence(source);
        }
    }

    private void writeCopy(Slot slot, long remote, int key, MemorySegment source) throws IOException {
        inPieces(source.byteSize(), SLOT_BYTES, (offset, bytes) -> {
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
        try {
            requests.run(slot -> {
                IbvMr known = target.isReadOnly() ? null : device.find(target);
                if (known == null) {
                    readCopy(slot, remote, key, target);
                    return;
                }
                inPieces(target.byteSize(), Integer.MAX_VALUE, (offset, bytes) -> {
                    slot.postReadTo(target.address() + offset, known.getLkey(), remote + offset, key, bytes);
                    complete(slot);
                });
            });
        } finally {
            Reference.reachabilityFence(target);
        }
    }

    private void readCopy(Slot slot, long remote, int key, MemorySegment target) throws IOException {
        inPieces(target.byteSize(), SLOT_BYTES, (offset, bytes) -> {
            slot.postRead(remote + offset, key, bytes);
            complete(slot);
            MemorySegment.copy(slot.buffer(), 0, target, offset, bytes);
        });
    }

    /** What requests have to have of these parts of memory; null if the device does not know all of them. */
    @Nullable
    List<Gather.Element> elements(List<MemorySegment> parts) {
        return Gather.elements(parts, device::find);
    }

    /** Of memory, that one request may have. */
    int maxElements(OneSided kind) {
        return Math.min(elements, device.elements(kind));
    }

    /**
     * READs, or WRITEs, with one wait for each row.
     *
     * @param all whose elements, at most {@link #maxElements}, stay where they are until it returns
     */
    void gather(OneSided kind, List<Gather> all) throws QueuePairException {
        requests.run(slot -> Rows.run(
                slot,
                all,
                Gather::bytes,
                (to, gather, signalled) -> to.postGather(kind, gather, signalled),
                completion));
    }

    /**
     * What becomes of writes to a part of the target's memory.
     *
     * @param remote its address there
     * @param bytes at most those of a block
     * @param byDevice if it is to be persistent: the target's processor has no part in it. Else it is only pushed: it has left the target's device for its
     *     memory.
     */
    record Push(long remote, int key, int bytes, boolean byDevice) {}

    /** When it returns, that is true of all that was written before by this queue pair. There is one wait for each row. */
    void push(List<Push> all) throws QueuePairException {
        requests.run(slot -> Rows.run(slot, all, push -> PUSH_BYTES, pushing, completion));
    }

    private void post(Slot slot, Push push, boolean signalled) throws IOException {
        if (push.byDevice) {
            RemoteFlush by = Objects.requireNonNull(flush, "a queue pair without FLUSH");
            slot.postFlush(by, push.remote, push.key, push.bytes, signalled);
        } else if (signalled) {
            slot.postRead(push.remote, push.key, PUSH_BYTES);
        } else {
            slot.postQuietRead(push.remote, push.key, PUSH_BYTES);
        }
    }

    /** One piece of an operation: posts it, and returns when it has completed. */
    private interface Piece {
        void run(long offset, int bytes) throws IOException;
    }

    private static void inPieces(long bytes, int pieceBytes, Piece piece) throws IOException {
        for (long at = 0; at < bytes; at += pieceBytes) {
            piece.run(at, (int) Math.min(pieceBytes, bytes - at));
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
            throw new QueuePairException(this + ": " + CompletionStatus.describe(slot.status()));
        }
    }

    /** Ends what is under way with an error, waits for that, and releases all. Idempotent. */
    void close() throws IOException {
        if (requests.kill()) {
            QueuePairs.all(
                    () -> binding.abort(connector.id()), requests::awaitIdle, this::release, released::countDown);
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
        return name(offer);
    }

    private static String name(Offer offer) {
        return "queue pair " + offer.number() + " to " + offer.address();
    }
}
