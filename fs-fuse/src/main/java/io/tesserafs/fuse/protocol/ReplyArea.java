package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Request;
import io.tesserafs.fuse.libc.LibcNative;
import java.lang.foreign.MemorySegment;

/**
 * A page in which one request's answer is put together.
 *
 * <pre>
 * 0     out header, then the body of an answer without bulk data
 * 3584  struct iovec[1 + MAX_DATA_PARTS]: 0 base u64 | 8 length u64 each; the first is the header
 * 4032  where the system calls of this request leave errno
 * </pre>
 */
final class ReplyArea {
    static final int BYTES = LibcNative.PAGE_BYTES;
    private static final int IOVECS = 3584;
    private static final int IOVEC_BYTES = 16;
    private static final int CAPTURE = 4032;
    /** Longest body that fits. */
    static final int BODY_BYTES = IOVECS - HeaderLayout.OUT_LENGTH;

    private final MemorySegment memory;
    private final MemorySegment capture;
    private final long address;

    ReplyArea(MemorySegment memory) {
        if (IOVECS + (1 + Request.MAX_DATA_PARTS) * IOVEC_BYTES > CAPTURE
                || CAPTURE + LibcNative.CAPTURE_BYTES > memory.byteSize()) {
            throw new IllegalArgumentException("reply area of " + memory.byteSize() + " bytes");
        }
        this.memory = memory;
        this.address = memory.address();
        // Through the global scope: as part of a shared arena it would be locked and unlocked by atomics at each call.
        this.capture = MemorySegment.ofAddress(address + CAPTURE).reinterpret(LibcNative.CAPTURE_BYTES);
    }

    MemorySegment memory() {
        return memory;
    }

    MemorySegment capture() {
        return capture;
    }

    long address() {
        return address;
    }

    long iovecs() {
        return address + IOVECS;
    }

    void setIovec(int index, long base, long length) {
        int at = IOVECS + index * IOVEC_BYTES;
        Wire.putU64(memory, at, base);
        Wire.putU64(memory, at + 8, length);
    }
}
