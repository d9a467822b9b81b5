package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Attributes;
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
 * One request and its answer.
 *
 * <p>A reader thread reuses one object for request after request until a handler detaches it; from then on the object
 * belongs to that request for good. So a late second answer to a detached request always fails, whatever came after.
 *
 * <p>Each answer first <em>claims</em> the request (state ANSWERED), then is built, then is sent: nothing between
 * claim and send may throw, so arguments are checked before.
 */
final class FuseRequest implements Request {
    private static final Logger LOG = LoggerFactory.getLogger(FuseRequest.class);
    private static final VarHandle STATE;
    private static final VarHandle UNIQUE;
    /** Linux error numbers the kernel takes from us; others it would refuse and leave the caller waiting. */
    private static final int ERRNO_MAX = 511;

    private static final int OUT_BODY = HeaderLayout.OUT_LENGTH;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            STATE = lookup.findVarHandle(FuseRequest.class, "state", State.class);
            UNIQUE = lookup.findVarHandle(FuseRequest.class, "unique", long.class);
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

    private final Connection connection;
    private final RequestLoop loop;
    private final ReplyArea area;
    private @Nullable RequestBuffer buffer;
    private State state = State.ANSWERED;
    private boolean detached;
    private boolean bufferDetached;

    private long unique;
    private volatile long interruptedUnique;
    private int opcode;
    private int uid;
    private int gid;
    private int pid;
    private int dataParts;
    private int dataBytes;
    private int dataLimit;
    private @Nullable Runnable onInterrupt; // guarded by this

    FuseRequest(Connection connection, RequestLoop loop, ReplyArea area, RequestBuffer buffer) {
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
        dataParts = 0;
        dataBytes = 0;
        dataLimit = 0;
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

    /** READ and directory listings: more than {@code bytes} may not be answered. */
    void limitData(int bytes) {
        dataLimit = bytes;
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
        if (state != State.ATTACHED) {
            throw new IllegalStateException("detach of a request that is " + state + ": " + this);
        }
        // Only these two hand out segments of the buffer; the others are decoded, and the reader keeps its buffer.
        bufferDetached = opcode == Opcode.WRITE || opcode == Opcode.IOCTL;
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

    // ---- answers

    @Override
    public void replyError(int errno) {
        if (errno < 1 || errno > ERRNO_MAX) {
            throw new IllegalArgumentException("errno " + errno);
        }
        claim();
        connection.stats.countError(opcode);
        putHeader(area.memory(), HeaderLayout.OUT_LENGTH, -errno);
        transmit(area.address(), HeaderLayout.OUT_LENGTH);
    }

    @Override
    public void replyOk() {
        claim();
        send(area.memory(), 0);
    }

    @Override
    public boolean replyEntry(Attributes attr, long entryTtlNs, long attrTtlNs) {
        Objects.requireNonNull(attr);
        claim();
        AttrLayout.putEntry(area.memory(), OUT_BODY, attr, entryTtlNs, attrTtlNs);
        return send(area.memory(), AttrLayout.ENTRY_LENGTH);
    }

    @Override
    public void replyNoEntry(long entryTtlNs) {
        if (entryTtlNs <= 0) {
            replyError(Errno.ENOENT);
            return;
        }
        claim();
        MemorySegment out = area.memory();
        out.asSlice(OUT_BODY, AttrLayout.ENTRY_LENGTH).fill((byte) 0);
        AttrLayout.putTime(out, OUT_BODY + AttrLayout.ENTRY_VALID, OUT_BODY + AttrLayout.ENTRY_VALID_NSEC, entryTtlNs);
        send(out, AttrLayout.ENTRY_LENGTH);
    }

    @Override
    public void replyAttr(Attributes attr, long attrTtlNs) {
        Objects.requireNonNull(attr);
        claim();
        if (opcode == Opcode.STATX) {
            StatxLayout.putStatxOut(area.memory(), OUT_BODY, attr, attrTtlNs);
            send(area.memory(), StatxLayout.OUT_LENGTH);
        } else {
            AttrLayout.putAttrOut(area.memory(), OUT_BODY, attr, attrTtlNs);
            send(area.memory(), AttrLayout.OUT_LENGTH);
        }
    }

    @Override
    public boolean replyOpen(long fh, int flags) {
        claim();
        putOpen(OUT_BODY, fh, flags);
        return send(area.memory(), FileLayout.OPEN_OUT_LENGTH);
    }

    @Override
    public boolean replyCreate(Attributes attr, long entryTtlNs, long attrTtlNs, long fh, int flags) {
        Objects.requireNonNull(attr);
        claim();
        AttrLayout.putEntry(area.memory(), OUT_BODY, attr, entryTtlNs, attrTtlNs);
        putOpen(OUT_BODY + AttrLayout.ENTRY_LENGTH, fh, flags);
        return send(area.memory(), AttrLayout.ENTRY_LENGTH + FileLayout.OPEN_OUT_LENGTH);
    }

    private void putOpen(int at, long fh, int flags) {
        MemorySegment out = area.memory();
        Wire.putU64(out, at + FileLayout.OPEN_OUT_FH, fh);
        Wire.putU32(out, at + FileLayout.OPEN_OUT_FLAGS, flags);
        Wire.putU32(out, at + FileLayout.OPEN_OUT_FLAGS + 4, 0);
    }

    @Override
    public void replyBytes(byte[] bytes) {
        MemorySegment out = space(bytes.length);
        claim();
        Wire.putBytes(out, OUT_BODY, bytes);
        send(out, bytes.length);
    }

    @Override
    public void replyXattr(byte[] value, int size) {
        if (size == 0) {
            claim();
            Wire.putU32(area.memory(), OUT_BODY + XattrLayout.GET_OUT_SIZE, value.length);
            Wire.putU32(area.memory(), OUT_BODY + XattrLayout.GET_OUT_SIZE + 4, 0);
            send(area.memory(), XattrLayout.GET_OUT_LENGTH);
        } else if (value.length > size) {
            replyError(Errno.ERANGE);
        } else {
            replyBytes(value);
        }
    }

    /** COPY_FILE_RANGE_64 wants 64 bits, the others 32 and 32 of padding, which in little-endian order is the same. */
    @Override
    public void replyWritten(int count) {
        if (count < 0) {
            throw new IllegalArgumentException("written " + count);
        }
        replyOffset(count);
    }

    @Override
    public void replyOffset(long offset) {
        claim();
        Wire.putU64(area.memory(), OUT_BODY, offset);
        send(area.memory(), FileLayout.LSEEK_OUT_LENGTH);
    }

    @Override
    public void replyIoctl(int result, byte[] out) {
        int length = FileLayout.IOCTL_OUT_LENGTH + out.length;
        MemorySegment memory = space(length);
        claim();
        memory.asSlice(OUT_BODY, FileLayout.IOCTL_OUT_LENGTH).fill((byte) 0);
        Wire.putU32(memory, OUT_BODY + FileLayout.IOCTL_OUT_RESULT, result);
        Wire.putBytes(memory, OUT_BODY + FileLayout.IOCTL_OUT_LENGTH, out);
        send(memory, length);
    }

    @Override
    public void replyStatfs(
            long blocks,
            long free,
            long available,
            long files,
            long freeFiles,
            int blockSize,
            int nameMax,
            int fragmentSize) {
        claim();
        MemorySegment out = area.memory();
        out.asSlice(OUT_BODY, AttrLayout.STATFS_LENGTH).fill((byte) 0);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_BLOCKS, blocks);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_BFREE, free);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_BAVAIL, available);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_FILES, files);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_FFREE, freeFiles);
        Wire.putU32(out, OUT_BODY + AttrLayout.STATFS_BSIZE, blockSize);
        Wire.putU32(out, OUT_BODY + AttrLayout.STATFS_NAMELEN, nameMax);
        Wire.putU32(out, OUT_BODY + AttrLayout.STATFS_FRSIZE, fragmentSize);
        send(out, AttrLayout.STATFS_LENGTH);
    }

    /** Answers an INTERRUPT with EAGAIN, on every channel; see {@link Dispatcher}. Not an answer in the sense of {@link #claim}. */
    void askAgain() {
        putHeader(area.memory(), HeaderLayout.OUT_LENGTH, -Errno.EAGAIN);
        for (Channel channel : connection.channels()) {
            channel.send(area.capture(), area.address(), HeaderLayout.OUT_LENGTH);
        }
    }

    // ---- bulk data

    @Override
    public void addData(MemorySegment memory, long offset, int length) {
        Objects.checkFromIndexSize(offset, length, memory.byteSize());
        if (!memory.isNative()) {
            throw new IllegalArgumentException("data must be in native memory");
        }
        addPart(memory.address() + offset, length);
    }

    @Override
    public void addZeros(int length) {
        // One mapping of zeros is as long as the longest answer, so one part is enough.
        Objects.checkFromIndexSize(0, length, connection.pool.maxWriteBytes());
        addPart(connection.pool.zerosAddress(), length);
    }

    private void addPart(long address, int length) {
        if (length > dataLimit - dataBytes || dataParts == MAX_DATA_PARTS) {
            throw new IllegalStateException("answer of more than " + dataLimit + " bytes or " + MAX_DATA_PARTS
                    + " parts: " + dataBytes + " + " + length + " in part " + dataParts);
        }
        if (length > 0) {
            area.setIovec(++dataParts, address, length);
            dataBytes += length;
        }
    }

    @Override
    public void replyData() {
        claim();
        connection.stats.readBytes.add(dataBytes);
        if (dataParts == 0) {
            send(area.memory(), 0);
            return;
        }
        int length = HeaderLayout.OUT_LENGTH + dataBytes;
        putHeader(area.memory(), length, 0);
        area.setIovec(0, area.address(), HeaderLayout.OUT_LENGTH);
        int errno = detached
                ? connection.sendSharedGathered(loop.channel(), area.capture(), area.iovecs(), 1 + dataParts)
                : loop.channel().sendGathered(area.capture(), area.iovecs(), 1 + dataParts);
        finish(errno);
    }

    @Override
    public Directory directory(int size, boolean plus) {
        int capacity = Math.min(size, dataLimit);
        return new DirectoryReply(this, space(capacity), capacity, plus);
    }

    // ---- sending

    /** Memory for an out header and {@code bodyBytes}: the request's own where it fits. */
    private MemorySegment space(int bodyBytes) {
        if (bodyBytes <= ReplyArea.BODY_BYTES) {
            return area.memory();
        }
        RequestBuffer own = buffer;
        if (own != null && bodyBytes <= connection.pool.maxWriteBytes()) {
            return own.memory().asSlice(RequestBuffer.PAYLOAD_OFFSET - HeaderLayout.OUT_LENGTH);
        }
        return Arena.ofAuto().allocate((long) HeaderLayout.OUT_LENGTH + bodyBytes, Long.BYTES);
    }

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
}
