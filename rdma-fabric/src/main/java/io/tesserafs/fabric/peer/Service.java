package io.tesserafs.fabric.peer;

import java.nio.ByteBuffer;

/** What a daemon does for its peers under one service number. Buffers are little-endian, valid until the method returns, and unchecked input. */
public interface Service {
    /**
     * Answers a call. On a thread that may block (one per call).
     *
     * @return the answer, from position to limit
     * @throws Exception reported to the caller as {@link PeerException.Reason#FAILED}, with its message
     */
    ByteBuffer call(Connection from, ByteBuffer request) throws Exception;

    /** Takes a notification, in order; on the connection's reading thread, so it must not block. */
    void notified(Connection from, ByteBuffer message);

    /** The connection has ended; after the last notification. Must not block. */
    default void closed(Connection from) {}
}
