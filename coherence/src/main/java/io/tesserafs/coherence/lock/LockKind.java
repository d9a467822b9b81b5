package io.tesserafs.coherence.lock;

/** The two name spaces of locks; locks of different kinds never conflict, as on a local Linux filesystem. */
public enum LockKind {
    /** fcntl(2): byte ranges. Open file description locks are among them, with the description as owner. */
    POSIX,
    /** flock(2): always the whole file. */
    FLOCK
}
