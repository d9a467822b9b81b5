package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.libc.LibcNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Memory that one request is read into: header, body and payload.
 *
 * <pre>
 * |..... first page .....|........ payload: maxWriteBytes ........|
 *        | header | body |
 *        ^ memory()      ^ PAYLOAD_OFFSET, page-aligned for a WRITE
 * </pre>
 *
 * The header starts so that the data of a WRITE lands on a page boundary, as it does in the page cache it comes from and in the
 * extent it goes to. Owned by one reader thread or one detached request at a time.
 */
final class RequestBuffer {
    static final int PAYLOAD_OFFSET = HeaderLayout.IN_LENGTH + FileLayout.WRITE_LENGTH;

    private final MemorySegment mapping;
    private final MemorySegment memory;
    private final boolean lasting;
    private @Nullable MemorySegment lastPayload;

    /** In memory that lives as long as {@code owner}. */
    RequestBuffer(int maxWriteBytes, Arena owner) {
        this(LibcNative.mapAnonymous(bytes(maxWriteBytes), true, owner), false);
    }

    private RequestBuffer(MemorySegment mapping, boolean lasting) {
        this.mapping = mapping;
        this.memory = mapping.asSlice(LibcNative.PAGE_BYTES - PAYLOAD_OFFSET);
        this.lasting = lasting;
    }

    /** In {@code memory} of {@link #bytes}, which keeps its pages. */
    static RequestBuffer lastingIn(MemorySegment memory) {
        return new RequestBuffer(memory, true);
    }

    static long bytes(int maxWriteBytes) {
        return (long) LibcNative.PAGE_BYTES + maxWriteBytes;
    }

    /** Whether its pages are never given back. */
    boolean isLasting() {
        return lasting;
    }

    /** Starts with the request header. */
    MemorySegment memory() {
        return memory;
    }

    /** The {@code length} bytes from {@code offset}; segments of WRITE payloads are reused while the size stays the same. */
    MemorySegment slice(int offset, int length) {
        if (offset != PAYLOAD_OFFSET) {
            return memory.asSlice(offset, length);
        }
        MemorySegment last = lastPayload;
        if (last == null || last.byteSize() != length) {
            last = memory.asSlice(offset, length);
            lastPayload = last;
        }
        return last;
    }

    /** Gives the RAM back; the next use starts with zeros. */
    void discard() {
        LibcNative.discard(mapping);
    }
}
