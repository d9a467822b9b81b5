package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.HandleKey;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Tells a peer of handles that died without its doing. Little-endian: u32 kind (1), u32 count, then the keys, 16 bytes each.
 */
final class KillNotice {
    static final int KIND = 1;
    static final int HEADER_BYTES = 8;

    /** Of one message; more go in several. */
    static final int MAX_KEYS = 4096;

    private KillNotice() {}

    static ByteBuffer encode(List<HandleKey> keys) {
        ByteBuffer out = ByteBuffer.allocate(HEADER_BYTES + keys.size() * BrickCodec.KEY_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(KIND)
                .putInt(keys.size());
        keys.forEach(key -> BrickCodec.putKey(out, key));
        return out.flip();
    }

    static List<HandleKey> decode(ByteBuffer in) throws ProtocolException {
        in.order(ByteOrder.LITTLE_ENDIAN);
        if (in.remaining() < HEADER_BYTES || in.getInt() != KIND) {
            throw new ProtocolException("not a notice of handles that died");
        }
        int count = in.getInt();
        if (count < 0 || count > MAX_KEYS || in.remaining() != count * BrickCodec.KEY_BYTES) {
            throw new ProtocolException("a notice of " + count + " keys in " + in.remaining() + " bytes");
        }
        List<HandleKey> keys = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            keys.add(BrickCodec.takeKey(in));
        }
        return keys;
    }
}
