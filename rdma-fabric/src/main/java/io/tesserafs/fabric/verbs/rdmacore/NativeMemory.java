package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/** Fields of structures that a library owns, by address. The caller vouches for the address. */
final class NativeMemory {
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private NativeMemory() {}

    static byte getByte(long address) {
        return ALL.get(JAVA_BYTE, address);
    }

    static void setInt(long address, int value) {
        ALL.set(JAVA_INT, address, value);
    }

    static void setLong(long address, long value) {
        ALL.set(JAVA_LONG, address, value);
    }

    static int getInt(long address) {
        return ALL.get(JAVA_INT, address);
    }

    static long getLong(long address) {
        return ALL.get(JAVA_LONG, address);
    }

    static byte[] getBytes(long address, int count) {
        return ALL.asSlice(address, count).toArray(JAVA_BYTE);
    }

    static String getString(long address) {
        return ALL.getString(address);
    }
}
