package io.tesserafs.coherence.token;

import java.io.IOException;

/** A token could not be had: the session ended (fenced or expired), or the wait was interrupted. */
public final class TokenException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Reason {
        SESSION_ENDED,
        INTERRUPTED
    }

    private final Reason reason;

    public TokenException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
