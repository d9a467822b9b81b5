package io.tesserafs.coherence.token;

/** Where a node stands with one range. Illegal moves are bugs and stop the node. */
public enum TokenState {
    NONE,
    /** Asked for, not granted yet. */
    REQUESTED,
    /** Granted: requests are served under it. */
    HELD,
    /** The owner wants it back; requests are served all the same, until a pass served nobody. */
    RECALLING,
    /** The session is over. */
    FENCED;

    public boolean mayBecome(TokenState next) {
        return switch (this) {
            case NONE -> next == REQUESTED;
            case REQUESTED -> next == HELD || next == NONE || next == FENCED;
            case HELD -> next == RECALLING || next == FENCED;
            case RECALLING -> next == HELD || next == NONE || next == FENCED; // HELD: only the mode was lowered
            case FENCED -> false;
        };
    }

    TokenState become(TokenState next) {
        if (!mayBecome(next)) {
            throw new IllegalStateException("a token that is " + this + " cannot become " + next);
        }
        return next;
    }
}
