package io.tesserafs.fabric.peer;

import java.nio.ByteBuffer;

/**
 * An authenticated connection between two daemons; either side may call the other. Thread-safe. Once it is closed, by whichever side
 * or by a failure, it stays closed: reconnecting is the caller's business.
 */
public interface Connection extends AutoCloseable {
    /** Longest request, answer or notification, bytes. Bulk data travels by block handles. */
    int MAX_MESSAGE_BYTES = 4 << 20;

    /** What carries calls and notifications. */
    enum Network {
        TCP,
        /** Messages over a queue pair of RDMA devices. */
        VERBS
    }

    PeerId peer();

    Network network();

    /**
     * Sends a request and waits for its answer. Any number may be under way. The request is taken over by the time this returns.
     *
     * @param request from position to limit, at most {@link #MAX_MESSAGE_BYTES}
     * @return the answer, little-endian, from position to limit; the caller's own
     */
    ByteBuffer call(int service, ByteBuffer request, long timeoutMs) throws PeerException;

    /**
     * Sends a message without an answer. Those of one connection arrive in the order sent, and reach {@link Service#notified} one at a time.
     * May block briefly when the peer does not read (backpressure), never for an answer.
     */
    void send(int service, ByteBuffer message) throws PeerException;

    boolean isOpen();

    /** Runs once when the connection has ended, at once if it has; on any thread; must not block. */
    void onClose(Runnable action);

    /** Idempotent. */
    @Override
    void close();
}
