package io.tesserafs.fabric.peer;

import java.io.IOException;

/** A peer could not be reached, or a call to it failed. The reason says whether it may have been carried out. */
public final class PeerException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Reason {
        /** Never reached the peer: safe to try again. */
        UNREACHABLE,
        /** The connection ended, or the time ran out, while waiting for the answer: it may have been carried out. */
        LOST,
        /** The peer is of another cluster, knows another secret, or speaks no version that we do. */
        REFUSED,
        /** The peer knows no such service, or could not make sense of the request. */
        BAD_REQUEST,
        /** The service failed; its message is in this exception's. */
        FAILED
    }

    private final Reason reason;

    public PeerException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public PeerException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
