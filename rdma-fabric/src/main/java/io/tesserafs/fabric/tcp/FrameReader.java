package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.tcp.FrameLayout.Header;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Takes frames off a wire. Reads ahead a little, so that small frames cost less than a system call each. One thread at a time.
 */
final class FrameReader {
    /** A 4 KiB message with its header in one read, and not so much that large bodies are copied through here. */
    private static final int AHEAD_BYTES = 8 << 10;

    /** The runtime copies to heap buffers through a buffer as large as the read, one per thread and for ever. */
    private static final int MAX_READ_BYTES = 128 << 10;

    private final Wire wire;
    private final ByteBuffer ahead = ByteBuffer.allocateDirect(AHEAD_BYTES)
            .order(ByteOrder.LITTLE_ENDIAN)
            .limit(0);

    FrameReader(Wire wire) {
        this.wire = wire;
    }

    /** Waits for the next header. Its body must be taken before the next call. */
    Header next() throws IOException {
        if (ahead.remaining() < FrameLayout.BYTES) {
            ahead.compact();
            try {
                while (ahead.position() < FrameLayout.BYTES) {
                    if (wire.read(ahead) < 0) {
                        throw new EOFException("closed by the peer");
                    }
                }
            } finally {
                ahead.flip();
            }
        }
        return FrameLayout.take(ahead);
    }

    /** The body of the frame that {@link #next} announced, in memory of its own, little-endian. */
    ByteBuffer body(Header header) throws IOException {
        ByteBuffer body = ByteBuffer.allocate(header.bodyBytes()).order(ByteOrder.LITTLE_ENDIAN);
        int here = Math.min(ahead.remaining(), body.remaining());
        body.put(ahead.slice(ahead.position(), here));
        ahead.position(ahead.position() + here);
        while (body.position() < header.bodyBytes()) {
            body.limit(Math.min(header.bodyBytes(), body.position() + MAX_READ_BYTES));
            wire.readFully(body);
        }
        return body.flip();
    }

    /** Whether bytes beyond the last frame were read already. */
    boolean isAhead() {
        return ahead.hasRemaining();
    }
}
