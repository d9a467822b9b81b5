package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.peer.Connection.Network;
import io.tesserafs.fabric.tcp.Wire;
import io.tesserafs.fabric.verbs.rdmacore.ConnectionParameters;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bytes to and from a peer as messages over a reliable queue pair. What has been sent but not left when the wire is closed may be lost.
 *
 * <p>Nothing of this memory is open to the peer: the device puts messages into posted receives, and ends the queue pair for anything else.
 * Everything is released by the last of those who use it: the threads that read and write, and whoever closes. So closing waits
 * for nobody.
 */
final class VerbsWire implements Wire {
    private static final Logger LOG = LoggerFactory.getLogger(VerbsWire.class);

    /** A small call with its headers; tried in turn, as devices differ. The last is none. */
    private static final int[] INLINE_BYTES = {220, 64, 0};

    private static final long MEMORY_BYTES =
            (long) (MessageSender.PLACES + MessageLayout.RECEIVES) * MessageLayout.MESSAGE_BYTES;

    private final LocalDevice device;
    private final RdmaCmId id;
    private final Lifetime lifetime;
    private final String remote;
    private final Arena arena = Arena.ofShared();
    private final WireEnd end = new WireEnd();
    private final AtomicBoolean closed = new AtomicBoolean();
    /** One for being open. */
    private final AtomicInteger users = new AtomicInteger(1);

    private final CountDownLatch released = new CountDownLatch(1);
    private @Nullable IbvCompChannel events;
    private @Nullable IbvCQ sent;
    private @Nullable IbvCQ received;
    private @Nullable IbvMr memory;
    private MessageSender sender;
    private MessageReceiver receiver;

    /** Of the id. */
    interface Lifetime {
        /** Whether the peer has gone, as far as that is not told by {@link VerbsWire#disconnected}. */
        boolean isDisconnected() throws IOException;

        /** After the queue pair and all it used. */
        void close() throws IOException;
    }

    /** Ready to be connected. Whether it succeeds or not, the id is closed by its lifetime from now on. */
    VerbsWire(LocalDevice device, RdmaCmId id, Lifetime lifetime, String remote) throws IOException {
        this.device = device;
        this.id = id;
        this.lifetime = lifetime;
        this.remote = remote;
        if (!device.retain()) {
            QueuePairs.all(lifetime::close, arena::close);
            throw new IOException("RDMA is not used any more");
        }
        try {
            IbvContext context = id.getVerbs();
            IbvCompChannel channel = context.createCompChannel();
            events = channel;
            // Nobody asks for events of what was sent; but not every binding makes a queue without a channel.
            IbvCQ sends = context.createCQ(channel, MessageSender.PLACES, 0);
            sent = sends;
            IbvCQ receives = context.createCQ(channel, MessageLayout.RECEIVES, 0);
            received = receives;
            int inlineBytes = createQueuePair(sends, receives);
            IbvQP qp = id.getQp();
            MemorySegment buffers = arena.allocate(MEMORY_BYTES, 4096);
            IbvMr region = device.binding().register(device.pd(), buffers, IbvMr.IBV_ACCESS_LOCAL_WRITE);
            memory = region;
            long sendBytes = (long) MessageSender.PLACES * MessageLayout.MESSAGE_BYTES;
            sender = new MessageSender(qp, sends, region, buffers.asSlice(0, sendBytes), inlineBytes, end);
            receiver = new MessageReceiver(
                    qp, receives, channel, region, buffers.asSlice(sendBytes), sender, end, this::look);
        } catch (IOException | RuntimeException | Error e) {
            try {
                release();
            } catch (IOException more) {
                e.addSuppressed(more);
            }
            throw e;
        }
    }

    private int createQueuePair(IbvCQ sends, IbvCQ receives) throws IOException {
        for (int i = 0; ; i++) {
            try {
                QueuePairs.create(
                        id,
                        device.pd(),
                        sends,
                        MessageSender.PLACES,
                        INLINE_BYTES[i],
                        receives,
                        MessageLayout.RECEIVES);
                return INLINE_BYTES[i];
            } catch (IOException e) {
                if (INLINE_BYTES[i] == 0) {
                    throw e;
                }
                LOG.debug("{}: not with {} bytes inline ({})", remote, INLINE_BYTES[i], e.getMessage());
            }
        }
    }

    /** The peer may read and write nothing, nor does this side. */
    static ConnectionParameters parameters() {
        ConnectionParameters parameters = new ConnectionParameters();
        parameters.setResponder_resources((byte) 0);
        parameters.setInitiator_depth((byte) 0);
        return parameters;
    }

    @Override
    public String remote() {
        return remote;
    }

    @Override
    public Network network() {
        return Network.VERBS;
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        enter();
        try {
            return receiver.read(target);
        } finally {
            exit();
        }
    }

    /** Fills one after the other, as far as there are bytes at once. */
    @Override
    public long read(ByteBuffer[] targets) throws IOException {
        for (ByteBuffer target : targets) {
            if (target.hasRemaining()) {
                return read(target);
            }
        }
        return 0;
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
        return writeAll(source);
    }

    @Override
    public long write(ByteBuffer[] sources) throws IOException {
        return writeAll(sources);
    }

    private int writeAll(ByteBuffer... sources) throws IOException {
        enter();
        try {
            return sender.write(sources);
        } finally {
            exit();
        }
    }

    private void enter() throws IOException {
        if (!retain()) {
            throw end.failure();
        }
    }

    private boolean retain() {
        return users.getAndUpdate(n -> n == 0 ? 0 : n + 1) > 0;
    }

    private void exit() {
        if (users.decrementAndGet() > 0) {
            return;
        }
        try {
            release();
        } catch (IOException e) {
            LOG.warn("{}: {}", remote, e.getMessage());
        }
    }

    private void look() throws IOException {
        if (lifetime.isDisconnected()) {
            disconnected();
        }
    }

    /** The peer has gone: what it sent before may still be read. Does not wait. */
    void disconnected() {
        if (end.set("closed by the peer") && retain()) {
            stop();
            exit();
        }
    }

    /** Hands all that was posted back, which wakes who reads; and tells the peer. */
    private void stop() {
        try {
            device.binding().abort(id);
            id.disconnect();
        } catch (IOException e) {
            LOG.debug("{} was not connected any more: {}", remote, e.getMessage());
        }
        sender.wake();
    }

    /** Ends reads and writes under way, and waits for neither. Idempotent. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            end.set("closed on this side");
            stop();
            exit();
        }
    }

    /** After {@link #close}: whether all was released in that time. */
    boolean awaitReleased(long timeoutMs) throws InterruptedException {
        return released.await(timeoutMs, TimeUnit.MILLISECONDS);
    }

    private void release() throws IOException {
        IbvMr region = memory;
        IbvCQ sends = sent;
        IbvCQ receives = received;
        IbvCompChannel channel = events;
        QueuePairs.all(
                id::destroyQP,
                () -> {
                    if (region != null) {
                        device.binding().deregister(region);
                    }
                    arena.close(); // not if the device still has it: lost memory is better than memory that changes
                },
                () -> {
                    if (sends != null) {
                        sends.destroyCQ();
                    }
                },
                () -> {
                    if (receives != null) {
                        receives.destroyCQ();
                    }
                },
                () -> {
                    if (channel != null) {
                        channel.destroyCompChannel();
                    }
                },
                lifetime::close,
                device::release,
                released::countDown);
    }

    @Override
    public String toString() {
        return remote;
    }
}
