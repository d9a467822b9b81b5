package io.tesserafs.fuse.protocol;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Primitive access to wire structures. The protocol uses the host's byte order and natural alignment: requests lie on
 * 8-byte boundaries and so do their fields.
 */
final class Wire {
    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT;
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG;

    private Wire() {}

    static int getU16(MemorySegment memory, long offset) {
        return Short.toUnsignedInt(memory.get(U16, offset));
    }

    static int getU32(MemorySegment memory, long offset) {
        return memory.get(U32, offset);
    }

    static long getU64(MemorySegment memory, long offset) {
        return memory.get(U64, offset);
    }

    static void putU16(MemorySegment memory, long offset, int value) {
        memory.set(U16, offset, (short) value);
    }

    static void putU32(MemorySegment memory, long offset, int value) {
        memory.set(U32, offset, value);
    }

    static void putU64(MemorySegment memory, long offset, long value) {
        memory.set(U64, offset, value);
    }

    static void putBytes(MemorySegment memory, long offset, byte[] bytes) {
        MemorySegment.copy(bytes, 0, memory, JAVA_BYTE, offset, bytes.length);
    }

    static byte[] getBytes(MemorySegment memory, long offset, int length) {
        byte[] bytes = new byte[length];
        MemorySegment.copy(memory, JAVA_BYTE, offset, bytes, 0, length);
        return bytes;
    }

    /** {@code length} rounded up to the 8 bytes that directory entries are aligned to. */
    static int align8(int length) {
        return (length + 7) & ~7;
    }
}
