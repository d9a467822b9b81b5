package io.tesserafs.coherence.token;

/** Mode of a token. Any number of nodes may hold SHARED on a range; EXCLUSIVE excludes every other holder. */
public enum Mode {
    SHARED,
    EXCLUSIVE;

    /** Whether holding this mode allows what {@code wanted} asks for. */
    public boolean covers(Mode wanted) {
        return this == EXCLUSIVE || wanted == SHARED;
    }
}
