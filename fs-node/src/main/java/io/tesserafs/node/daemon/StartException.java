package io.tesserafs.node.daemon;

/** The daemon cannot start; the message is one line for users. What it had taken is released. */
public final class StartException extends Exception {
    private static final long serialVersionUID = 1L;

    public StartException(String message) {
        super(message);
    }

    public StartException(String message, Throwable cause) {
        super(message, cause);
    }
}
