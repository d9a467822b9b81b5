package io.tesserafs.coherence.lock;

/** How a request ended. */
public enum LockResult {
    /** Done, unlocking included. */
    GRANTED,
    /** Another owner holds a conflicting lock, and the request was not to wait (EAGAIN). */
    CONFLICT,
    /** The request waits; its end is reported later. Never the final result. */
    QUEUED,
    /** To wait would close a circle of owners who wait for each other (EDEADLK). */
    DEADLOCK,
    /** A limit on locks or waiters is reached (ENOLCK). */
    NO_LOCKS,
    /** Cancelled while it waited (EINTR). */
    INTERRUPTED,
    /** The owner of the volume cannot be reached, or the session is over (EIO). */
    LOST
}
