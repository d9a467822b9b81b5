package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import io.tesserafs.fuse.libc.LibcNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The life of a request from its arrival to its one answer: who owns it, whether it was interrupted, how the answer leaves.
 * {@link FuseRequest} adds what answers look like.
 *
 * <p>A reader thread reuses one object for request after request until a handler detaches it; from then on the object
 * belongs to that request for good. So a late second answer to a detached request always fails, whatever came after.
 *
 * <p>Each answer first <em>claims</em> the request (state ANSWERED), then is built, then is sent: nothing between
 * claim and send may throw, so arguments are checked before.
 */
abstract class PendingRequest implements Request {
    private static final Logger LOG = LoggerFactory.getLogger(PendingRequest.class);
    private static final VarHandle STATE;
    private static final VarHandle UNIQUE;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            STATE = lookup.findVarHandle(PendingRequest.class, "state", State.class);
            UNIQUE = lookup.findVarHandle(PendingRequest.class, "unique", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** ATTACHED: its reader thread works on it. DETACHED: some other thread will answer. ANSWERED: done, or needs no answer. */
    enum State {
        ATTACHED,
        DETACHED,
        ANSWERED
    }

    final Connection connection;
    final ReplyArea area;
    private final RequestLoop loop;
    private @Nullable RequestBuffer buffer;
    private State state = State.ANSWERED;
    private boolean detached;
    private boolean bufferDetached;
    /** An answer is being put together in the buffer. */
    private boolean bufferShared;

    private long unique;
    private volatile long interruptedUnique;
    private int opcode;
    private int uid;
    private int gid;
    private int pid;
    private @Nullable Runnable onInterrupt; // guarded by this

    PendingRequest(Connection connection, RequestLoop loop, ReplyArea area, RequestBuffer buffer) {
        this.connection = connection;
        this.loop = loop;
        this.area = area;
        this.buffer = buffer;
    }

    /** Reader thread: takes the request whose header is in the buffer. */
    void begin(MemorySegment in) {
        opcode = Wire.getU32(in, HeaderLayout.IN_OPCODE);
        uid = Wire.getU32(in, HeaderLayout.IN_UID);
        gid = Wire.getU32(in, HeaderLayout.IN_GID);
        pid = Wire.getU32(in, HeaderLayout.IN_PID);
        bufferShared = false;
        state = State.ATTACHED;
        UNIQUE.setRelease(this, Wire.getU64(in, HeaderLayout.IN_UNIQUE));
    }

    /** Reader thread, when the handler is back and the request not detached. */
    void end() {
        if (onInterrupt != null) {
            clearInterruptAction();
        }
    }

    /** For requests the kernel wants no answer to. */
    void expectNoAnswer() {
        state = State.ANSWERED;
    }

    boolean isDetached() {
        return detached;
    }

    boolean isAnswered() {
        return (State) STATE.getAcquire(this) == State.ANSWERED;
    }

    int opcode() {
        return opcode;
    }

    RequestBuffer attachedBuffer() {
        return Objects.requireNonNull(buffer);
    }

    // ---- interrupts

    boolean isInProgress(long target) {
        return (long) UNIQUE.getAcquire(this) == target && !isAnswered();
    }

    /** Any thread. Of no effect when this object has gone on to another request meanwhile. */
    void interrupt(long target) {
        Runnable action;
        synchronized (this) {
            interruptedUnique = target;
            if ((long) UNIQUE.getAcquire(this) != target) {
                return;
            }
            action = onInterrupt;
            onInterrupt = null;
        }
        if (action != null) {
            action.run();
        }
    }

    private synchronized void clearInterruptAction() {
        onInterrupt = null;
    }

    @Override
    public boolean interrupted() {
        return interruptedUnique == unique;
    }

    @Override
    public void onInterrupt(Runnable action) {
        synchronized (this) {
            if (!interrupted()) {
                onInterrupt = action;
                return;
            }
        }
        action.run();
    }

    // ---- identity

    @Override
    public long unique() {
        return unique;
    }

    @Override
    public int uid() {
        return uid;
    }

    @Override
    public int gid() {
        return gid;
    }

    @Override
    public int pid() {
        return pid;
    }

    @Override
    public void detach() {
        if (state == State.DETACHED) {
            return;
        }
        if (state != State.ATTACHED) {
            throw new IllegalStateException("detach of a request that is " + state + ": " + this);
        }
        // Where segments of the buffer were handed out it goes along; otherwise all is decoded and the reader keeps it.
        bufferDetached = bufferShared || opcode == Opcode.WRITE || opcode == Opcode.IOCTL;
        connection.pool.acquireDetach(bufferDetached);
        RequestBuffer next = bufferDetached ? connection.pool.takeBuffer() : Objects.requireNonNull(buffer);
        if (!bufferDetached) {
            buffer = null;
        }
        detached = true;
        STATE.setRelease(this, State.DETACHED);
        connection.addDetached(this);
        loop.replaceCurrent(next);
    }

    // ---- sending

    /** Memory for an out header and {@code bodyBytes}: the request's own where it fits. */
    MemorySegment space(int bodyBytes) {
        if (bodyBytes <= ReplyArea.BODY_BYTES) {
            return area.memory();
        }
        RequestBuffer own = buffer;
        if (own != null && bodyBytes <= connection.pool.maxWriteBytes()) {
            bufferShared = true;
            return own.memory().asSlice(RequestBuffer.PAYLOAD_OFFSET - HeaderLayout.OUT_LENGTH);
        }
        return Arena.ofAuto().allocate((long) HeaderLayout.OUT_LENGTH + bodyBytes, Long.BYTES);
    }

    /** The area may belong to another request once this one is answered. */
    void checkOpen() {
        if (isAnswered()) {
            throw new IllegalStateException("answered already: " + this);
        }
    }

    /** Makes this caller the one that answers. */
    void claim() {
        if (state == State.ATTACHED) {
            state = State.ANSWERED;
        } else if (!STATE.compareAndSet(this, State.DETACHED, State.ANSWERED)) {
            throw new IllegalStateException("second answer to " + this);
        }
    }

    /** Sends {@code out}, whose body is filled in. The request must be claimed. */
    boolean send(MemorySegment out, int bodyBytes) {
        int length = HeaderLayout.OUT_LENGTH + bodyBytes;
        putHeader(out, length, 0);
        try {
            return transmit(out.address(), length);
        } finally {
            Reference.reachabilityFence(out);
        }
    }

    /** Sends the header and the {@code parts} iovecs from index 1 of the area, of {@code bytes} in all. The request must be claimed. */
    boolean sendGathered(int parts, int bytes) {
        putHeader(area.memory(), HeaderLayout.OUT_LENGTH + bytes, 0);
        area.setIovec(0, area.address(), HeaderLayout.OUT_LENGTH);
        int errno = detached
                ? connection.sendSharedGathered(loop.channel(), area.capture(), area.iovecs(), 1 + parts)
                : loop.channel().sendGathered(area.capture(), area.iovecs(), 1 + parts);
        return finish(errno);
    }

    /** Sends minus {@code errno}, 1 to 511. The request must be claimed. */
    void sendError(int errno) {
        putHeader(area.memory(), HeaderLayout.OUT_LENGTH, -errno);
        transmit(area.address(), HeaderLayout.OUT_LENGTH);
    }

    private void putHeader(MemorySegment out, int length, int error) {
        Wire.putU32(out, HeaderLayout.OUT_LEN, length);
        Wire.putU32(out, HeaderLayout.OUT_ERROR, error);
        Wire.putU64(out, HeaderLayout.OUT_UNIQUE, unique);
    }

    private boolean transmit(long address, int length) {
        int errno = detached
                ? connection.sendShared(loop.channel(), area.capture(), address, length)
                : loop.channel().send(area.capture(), address, length);
        return finish(errno);
    }

    private boolean finish(int errno) {
        if (detached) {
            leave();
        }
        return switch (errno) {
            case 0 -> true;
            // The kernel withdrew the request; the connection is gone.
            case Errno.ENOENT, Errno.ENODEV -> {
                connection.stats.withdrawn.increment();
                yield false;
            }
            default -> {
                // EFAULT: memory behind addData is gone. EINVAL: an answer of a form the kernel did not expect. It gave
                // the caller EIO.
                connection.stats.refusedAnswers.increment();
                LOG.error("The kernel refused the answer to {}: {}", this, LibcNative.describe(errno));
                yield false;
            }
        };
    }

    /** Gives back what a detached request holds. */
    private void leave() {
        clearInterruptAction();
        RequestBuffer own = buffer;
        buffer = null;
        if (own != null) {
            connection.pool.giveBack(own);
        }
        connection.pool.giveBack(area);
        connection.pool.releaseDetach(bufferDetached);
        connection.removeDetached(this);
    }

    @Override
    public String toString() {
        return Opcode.name(opcode) + " request " + unique;
    }

    /** Answers an INTERRUPT with EAGAIN, on every channel; see {@link Dispatcher}. Not an answer in the sense of {@link #claim}. */
    void askAgain() {
        putHeader(area.memory(), HeaderLayout.OUT_LENGTH, -Errno.EAGAIN);
        for (Channel channel : connection.channels()) {
            channel.send(area.capture(), area.address(), HeaderLayout.OUT_LENGTH);
        }
    }
}
