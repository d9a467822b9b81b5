package io.tesserafs.coherence.lock;

/** The owner of the volume cannot be asked about locks: it is unreachable, or the session is over. */
public final class LostLocksException extends Exception {
    private static final long serialVersionUID = 1L;

    public LostLocksException(String message) {
        super(message);
    }
}
