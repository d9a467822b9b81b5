package io.tesserafs.fuse.protocol;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Builds requests, and expected answers, field by field. */
final class WireBytes {
    static final long UNIQUE = 0x1122334455667788L;
    static final int UID = 1000;
    static final int GID = 1001;
    static final int PID = 4242;

    private ByteBuffer buffer = ByteBuffer.allocate(1 << 21).order(ByteOrder.nativeOrder());

    static WireBytes request(int opcode, long node) {
        return request(opcode, node, UNIQUE);
    }

    static WireBytes request(int opcode, long node, long unique) {
        return new WireBytes()
                .u32(0)
                .u32(opcode)
                .u64(unique)
                .u64(node)
                .u32(UID)
                .u32(GID)
                .u32(PID)
                .u32(0);
    }

    /** A successful answer to {@link #UNIQUE}. */
    static WireBytes answer() {
        return new WireBytes().u32(0).u32(0).u64(UNIQUE);
    }

    static byte[] error(int errno) {
        return new WireBytes().u32(0).u32(-errno).u64(UNIQUE).bytes();
    }

    WireBytes u16(int value) {
        buffer.putShort((short) value);
        return this;
    }

    WireBytes u32(int value) {
        buffer.putInt(value);
        return this;
    }

    WireBytes u64(long value) {
        buffer.putLong(value);
        return this;
    }

    WireBytes raw(byte... value) {
        buffer.put(value);
        return this;
    }

    WireBytes zeros(int count) {
        return raw(new byte[count]);
    }

    /** With its NUL. */
    WireBytes name(String name) {
        return raw(name.getBytes(StandardCharsets.UTF_8)).raw((byte) 0);
    }

    /** With the length filled in. */
    byte[] bytes() {
        byte[] bytes = Arrays.copyOf(buffer.array(), buffer.position());
        ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).putInt(0, bytes.length);
        return bytes;
    }
}
