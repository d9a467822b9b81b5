package io.tesserafs.fabric.tcp;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.locks.ReentrantLock;

/** Puts frames on a wire, each whole, in the order of the callers. Thread-safe. Blocks while the peer does not read. */
final class FrameWriter {
    /** Up to here header and body are gathered in memory, which is cheaper than a gathering system call. */
    private static final int SMALL_FRAME_BYTES = 8 << 10;

    /** The runtime copies heap buffers through a buffer as large as the write, one per thread and for ever. */
    private static final int MAX_WRITE_BYTES = 128 << 10;

    private final Wire wire;
    private final ReentrantLock lock = new ReentrantLock();

    /** Guarded by lock. */
    private final ByteBuffer small =
            ByteBuffer.allocateDirect(SMALL_FRAME_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    FrameWriter(Wire wire) {
        this.wire = wire;
    }

    void write(FrameType type, int service, int status, long id, ByteBuffer body) throws IOException {
        ByteBuffer rest = body.duplicate();
        int bodyBytes = rest.remaining();
        // An interrupted thread would close the socket, for all others too.
        boolean interrupted = Thread.interrupted();
        lock.lock();
        try {
            small.clear();
            FrameLayout.put(small, type, service, status, id, bodyBytes);
            if (bodyBytes <= small.remaining()) {
                small.put(rest).flip();
                wire.writeFully(small);
                return;
            }
            small.flip();
            int end = rest.limit();
            while (rest.position() < end) {
                rest.limit(Math.min(end, rest.position() + MAX_WRITE_BYTES));
                wire.writeFully(small, rest);
            }
        } finally {
            lock.unlock();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
