package io.tesserafs.node.session;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** A message being read: from the network, so every length is checked before it is believed. */
final class WireIn {
    /** What arrived is no message of ours. */
    static final class MalformedException extends Exception {
        private static final long serialVersionUID = 1L;

        MalformedException(String message) {
            super(message);
        }
    }

    private final ByteBuffer buffer;

    WireIn(ByteBuffer buffer) {
        this.buffer = buffer;
    }

    private ByteBuffer need(int bytes) throws MalformedException {
        if (bytes < 0 || buffer.remaining() < bytes) {
            throw new MalformedException(buffer.remaining() + " bytes left, " + bytes + " needed");
        }
        return buffer;
    }

    int u8() throws MalformedException {
        return Byte.toUnsignedInt(need(1).get());
    }

    boolean flag() throws MalformedException {
        int value = u8();
        if (value > 1) {
            throw new MalformedException("a flag of " + value);
        }
        return value == 1;
    }

    int i32() throws MalformedException {
        return need(Integer.BYTES).getInt();
    }

    long i64() throws MalformedException {
        return need(Long.BYTES).getLong();
    }

    byte[] bytes(int most) throws MalformedException {
        int length = i32();
        if (length > most) {
            throw new MalformedException(length + " bytes where at most " + most + " may be");
        }
        need(length);
        byte[] value = new byte[length];
        buffer.get(value);
        return value;
    }

    byte @Nullable [] bytesOrNull(int most) throws MalformedException {
        return flag() ? bytes(most) : null;
    }

    /** A number of things that take at least {@code bytesEach} in the rest of the message. */
    int count(int bytesEach) throws MalformedException {
        int count = i32();
        if (count < 0 || (long) count * bytesEach > buffer.remaining()) {
            throw new MalformedException(count + " items in " + buffer.remaining() + " bytes");
        }
        return count;
    }

    void end() throws MalformedException {
        if (buffer.hasRemaining()) {
            throw new MalformedException(buffer.remaining() + " bytes too many");
        }
    }
}
