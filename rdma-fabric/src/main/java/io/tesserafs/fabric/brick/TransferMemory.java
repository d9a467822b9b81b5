package io.tesserafs.fabric.brick;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Memory for bytes on their way to and from bricks. It is cut from a few large pieces that stay where they are until the process ends,
 * so a provider whose device has to know memory before it uses it makes those known once, and copies nothing. Bricks take any other
 * memory as well; then such a provider copies. Thread-safe.
 */
public final class TransferMemory {
    static final long PIECE_BYTES = 8L << 20;

    /** A device pins them. */
    private static final int MAX_PIECES = 8;

    private static final long PAGE_BYTES = 4096;

    /** Sizes are multiples of this, so that there are few. */
    private static final long STEP_BYTES = 64 << 10;

    private static final List<MemorySegment> PIECES = new CopyOnWriteArrayList<>();

    /** By size; guarded by itself, as is the rest. */
    private static final Map<Long, Deque<MemorySegment>> FREE = new HashMap<>();

    /** What nobody has had yet of the last piece. */
    private static MemorySegment rest = MemorySegment.NULL;

    private TransferMemory() {}

    /** Page-aligned, with any content; for as long as it is used. Ordinary memory if no more of this kind is to be had. */
    public static MemorySegment allocate(long bytes) {
        MemorySegment mine = tryAllocate(bytes);
        return mine == null ? Arena.ofAuto().allocate(bytes, PAGE_BYTES) : mine;
    }

    /** As {@link #allocate}, or null instead of ordinary memory. */
    public static @Nullable MemorySegment tryAllocate(long bytes) {
        long size = (Math.max(1, bytes) + STEP_BYTES - 1) & -STEP_BYTES;
        MemorySegment chunk = take(size);
        return chunk == null
                ? null
                : chunk.reinterpret(Arena.ofAuto(), same -> giveBack(chunk)).asSlice(0, bytes);
    }

    /** Number of the piece in which all of this memory is; -1 if it is of another kind. */
    public static int pieceOf(MemorySegment memory) {
        if (memory.isNative()) {
            long address = memory.address();
            for (int i = 0; i < PIECES.size(); i++) {
                long within = address - PIECES.get(i).address();
                if (within >= 0 && within <= PIECE_BYTES - memory.byteSize()) {
                    return i;
                }
            }
        }
        return -1;
    }

    public static MemorySegment piece(int number) {
        return PIECES.get(number);
    }

    private static @Nullable MemorySegment take(long size) {
        synchronized (FREE) {
            Deque<MemorySegment> free = FREE.get(size);
            if (free != null && !free.isEmpty()) {
                return free.pop();
            }
            if (rest.byteSize() < size) {
                if (size > PIECE_BYTES || PIECES.size() == MAX_PIECES) {
                    return null; // what is left of the last piece still serves smaller wishes
                }
                rest = Arena.global().allocate(PIECE_BYTES, PAGE_BYTES);
                PIECES.add(rest);
            }
            MemorySegment chunk = rest.asSlice(0, size);
            rest = rest.asSlice(size);
            return chunk;
        }
    }

    private static void giveBack(MemorySegment chunk) {
        synchronized (FREE) {
            FREE.computeIfAbsent(chunk.byteSize(), s -> new ArrayDeque<>()).push(chunk);
        }
    }
}
