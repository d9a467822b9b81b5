package io.tesserafs.fabric.brick;

import java.io.IOException;

/** A brick refused a call, or a handle is of no use any more. The reason is typed so that callers map it to one errno. */
public final class BrickException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Reason {
        /** ALLOC of an id that exists. */
        EXISTS,
        /** No free block. */
        NO_SPACE,
        /** FREE or MAP of an id that does not exist. */
        NOT_FOUND,
        /** The handle was unmapped, or its session fenced. */
        DEAD_HANDLE,
        /** Offset or length outside the handle. */
        OUT_OF_BOUNDS,
        /** A write through a handle for reading. */
        ACCESS,
        /** The session was fenced; it must not come back under the same id. */
        FENCED,
        /** The allocation table is damaged. */
        CORRUPT,
        /** The device or the operating system failed. */
        IO,
        /** The brick is closed or out of reach. */
        UNREACHABLE,
        /**
         * Of FENCE and FREE: the handles are dead, but a process of the brick's host that has their memory mapped has neither let go of
         * it nor died. Bytes of its may still land. See it dead, then repeat the call.
         */
        STILL_MAPPED
    }

    private final Reason reason;

    public BrickException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public BrickException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
