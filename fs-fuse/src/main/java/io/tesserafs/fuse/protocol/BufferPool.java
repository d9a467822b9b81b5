package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.libc.LibcNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.Semaphore;

/**
 * Native memory of one connection: what readers work in, and spares for the requests that leave them.
 *
 * <p>Everything is mapped from one shared arena that is closed with the connection. Thread-safe; used when a request detaches
 * or a detached one ends, never on the way of the others.
 */
final class BufferPool {
    /** Detached requests at a time, of any kind: each holds a page. More than threads of applications one host runs. */
    static final int MAX_DETACHED = 4096;
    /** Detached requests with a payload (WRITE): each holds a whole buffer, of which only what it received is in RAM. */
    static final int MAX_DETACHED_PAYLOADS = 1024;
    /** Returned buffers that keep their RAM; the others give it back and keep only the address range. */
    private static final int WARM_BUFFERS = 8;
    /** Buffers from where we were told to take them, of all; more than most hosts have readers. */
    private static final int MAX_LASTING = 24;
    /** Reply areas mapped at a time: one mapping each would use up the kernel's limit of mappings. */
    private static final int AREAS_PER_SLAB = 64;

    private final Arena arena = Arena.ofShared();
    private final int maxWriteBytes;
    private final MemorySegment zeros;
    private final Semaphore detachedPermits = new Semaphore(MAX_DETACHED);
    private final Semaphore payloadPermits = new Semaphore(MAX_DETACHED_PAYLOADS);
    private final ArrayDeque<ReplyArea> areas = new ArrayDeque<>();
    private final ArrayDeque<RequestBuffer> warm = new ArrayDeque<>();
    private final ArrayDeque<RequestBuffer> cold = new ArrayDeque<>();
    private final RequestMemory source;
    /** Guarded by this. */
    private int lasting;

    BufferPool(int maxWriteBytes, RequestMemory source) {
        this.maxWriteBytes = maxWriteBytes;
        this.source = source;
        this.zeros = LibcNative.mapAnonymous(maxWriteBytes, false, arena);
    }

    int maxWriteBytes() {
        return maxWriteBytes;
    }

    /** {@link #maxWriteBytes} of zeros. */
    long zerosAddress() {
        return zeros.address();
    }

    /** Waits while {@link #MAX_DETACHED} (or, with a payload, {@link #MAX_DETACHED_PAYLOADS}) requests are detached. */
    void acquireDetach(boolean withPayload) {
        detachedPermits.acquireUninterruptibly();
        if (withPayload) {
            payloadPermits.acquireUninterruptibly();
        }
    }

    void releaseDetach(boolean withPayload) {
        if (withPayload) {
            payloadPermits.release();
        }
        detachedPermits.release();
    }

    synchronized ReplyArea takeArea() {
        if (areas.isEmpty()) {
            MemorySegment slab = LibcNative.mapAnonymous((long) AREAS_PER_SLAB * ReplyArea.BYTES, true, arena);
            for (int i = 0; i < AREAS_PER_SLAB; i++) {
                areas.push(new ReplyArea(slab.asSlice((long) i * ReplyArea.BYTES, ReplyArea.BYTES)));
            }
        }
        return areas.pop();
    }

    synchronized void giveBack(ReplyArea area) {
        areas.push(area);
    }

    synchronized RequestBuffer takeBuffer() {
        if (!warm.isEmpty()) {
            return warm.pop();
        }
        if (lasting < MAX_LASTING) {
            MemorySegment memory = source.allocate(RequestBuffer.bytes(maxWriteBytes));
            if (memory != null) {
                lasting++;
                return RequestBuffer.lastingIn(memory);
            }
        }
        return cold.isEmpty() ? new RequestBuffer(maxWriteBytes, arena) : cold.pop();
    }

    synchronized void giveBack(RequestBuffer buffer) {
        if (warm.size() < WARM_BUFFERS || buffer.isLasting()) {
            warm.push(buffer);
        } else {
            buffer.discard();
            cold.push(buffer);
        }
    }

    /** Unmaps everything. Only when no request is left. */
    void close() {
        arena.close();
    }
}
