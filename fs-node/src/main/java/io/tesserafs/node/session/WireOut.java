package io.tesserafs.node.session;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A message being written, little-endian; grows as needed. */
final class WireOut {
    private static final int INITIAL_BYTES = 128;

    private byte[] array = new byte[INITIAL_BYTES];
    private ByteBuffer buffer = ByteBuffer.wrap(array).order(ByteOrder.LITTLE_ENDIAN);

    private ByteBuffer room(int bytes) {
        if (buffer.remaining() < bytes) {
            int used = buffer.position();
            array = Arrays.copyOf(array, Math.max(2 * array.length, used + bytes));
            buffer = ByteBuffer.wrap(array).order(ByteOrder.LITTLE_ENDIAN).position(used);
        }
        return buffer;
    }

    WireOut u8(int value) {
        room(1).put((byte) value);
        return this;
    }

    WireOut flag(boolean value) {
        return u8(value ? 1 : 0);
    }

    WireOut i32(int value) {
        room(Integer.BYTES).putInt(value);
        return this;
    }

    WireOut i64(long value) {
        room(Long.BYTES).putLong(value);
        return this;
    }

    /** Length and content. */
    WireOut bytes(byte[] value) {
        room(Integer.BYTES + value.length).putInt(value.length).put(value);
        return this;
    }

    /** What remains of the source, without its length. */
    WireOut bytes(ByteBuffer source) {
        room(source.remaining()).put(source);
        return this;
    }

    WireOut bytesOrNull(byte @Nullable [] value) {
        flag(value != null);
        return value == null ? this : bytes(value);
    }

    int size() {
        return buffer.position();
    }

    /** Cuts back to an earlier {@link #size}. */
    void truncate(int size) {
        buffer.position(size);
    }

    /** Overwrites an int written before. */
    void setI32(int at, int value) {
        buffer.putInt(at, value);
    }

    /** Overwrites a long written before. */
    void setI64(int at, long value) {
        buffer.putLong(at, value);
    }

    ByteBuffer done() {
        return buffer.flip();
    }
}
