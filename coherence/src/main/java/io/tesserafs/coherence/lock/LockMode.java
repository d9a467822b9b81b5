package io.tesserafs.coherence.lock;

/** Any number of owners may lock a byte for READ, or one for WRITE. */
public enum LockMode {
    READ,
    WRITE;

    boolean conflictsWith(LockMode other) {
        return this == WRITE || other == WRITE;
    }
}
