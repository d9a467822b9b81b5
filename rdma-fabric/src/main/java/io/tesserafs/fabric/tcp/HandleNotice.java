package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.HandleKey;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Word about handles that died without their holder's doing. Little-endian: u32 kind, u32 count, then the keys, 16 bytes each.
 */
record HandleNotice(Kind kind, List<HandleKey> keys) {
    static final int HEADER_BYTES = 8;

    /** Of one message; more go in several. */
    static final int MAX_KEYS = 4096;

    /** Who says what. */
    enum Kind {
        /** The target: these are dead. */
        KILLED(1),
        /** The holder, of handles with mapped memory: nobody in this process reaches their bytes any more. */
        LET_GO(2);

        private final int code;

        Kind(int code) {
            this.code = code;
        }

        private static Kind of(int code) throws ProtocolException {
            return switch (code) {
                case 1 -> KILLED;
                case 2 -> LET_GO;
                default -> throw new ProtocolException("a notice of unknown kind " + code);
            };
        }
    }

    HandleNotice {
        keys = List.copyOf(keys);
    }

    ByteBuffer encode() {
        ByteBuffer out = ByteBuffer.allocate(HEADER_BYTES + keys.size() * BrickCodec.KEY_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(kind.code)
                .putInt(keys.size());
        keys.forEach(key -> BrickCodec.putKey(out, key));
        return out.flip();
    }

    static HandleNotice decode(ByteBuffer in) throws ProtocolException {
        in.order(ByteOrder.LITTLE_ENDIAN);
        if (in.remaining() < HEADER_BYTES) {
            throw new ProtocolException("a notice that is cut off");
        }
        Kind kind = Kind.of(in.getInt());
        int count = in.getInt();
        if (count < 0 || count > MAX_KEYS || in.remaining() != count * BrickCodec.KEY_BYTES) {
            throw new ProtocolException("a notice of " + count + " keys in " + in.remaining() + " bytes");
        }
        List<HandleKey> keys = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            keys.add(BrickCodec.takeKey(in));
        }
        return new HandleNotice(kind, keys);
    }
}
