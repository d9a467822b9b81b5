package io.tesserafs.coherence.membership;

import java.io.IOException;

/** The cluster's registry could not do what was asked. The reason is typed; the message is meant for an operator. */
public final class MembershipException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Reason {
        /** The servers are set up in a way that this node cannot rely on. */
        UNSUITABLE,
        /** No ZooKeeper server answered in time, or the connection broke. */
        UNREACHABLE,
        /** The cluster found is not the one this node belongs to. */
        WRONG_CLUSTER,
        /** It has another secret than this node. */
        NOT_ALLOWED,
        /** A live node has this identity. */
        IDENTITY_IN_USE,
        /** It exists already. */
        EXISTS,
        /** It does not exist. */
        NOT_FOUND,
        /** All numbers were given out. */
        EXHAUSTED,
        /** Someone else changed it meanwhile. */
        CONFLICT,
        /** A file or an entry makes no sense. */
        DAMAGED,
        /** The directory, the port or the file is not usable. */
        LOCAL,
        /** The calling thread was interrupted. */
        INTERRUPTED
    }

    private final Reason reason;

    public MembershipException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public MembershipException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
