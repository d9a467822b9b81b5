package io.tesserafs.fuse.mount;

import java.io.IOException;

/** Mounting or unmounting failed; {@link #reason} says in which of the ways a caller may want to tell apart. */
public final class MountException extends IOException {
    /** Why. */
    public enum Reason {
        /** Something is open in the mount, or has its working directory there. */
        BUSY,
        /** Nothing is mounted there (any more). */
        NOT_MOUNTED,
        /** The mount point does not exist, or is no directory. */
        BAD_MOUNT_POINT,
        /** Not allowed for this user. */
        PERMISSION,
        /** The system lacks /dev/fuse, the kernel module, or fusermount3. */
        UNAVAILABLE,
        /** The kernel's protocol is too old. */
        UNSUPPORTED_KERNEL,
        /** Anything else; see the message. */
        FAILED
    }

    private final Reason reason;

    public MountException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public MountException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
