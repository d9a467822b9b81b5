package io.tesserafs.node.admin;

/** The daemon refused a request; the message is one line for users. */
public final class AdminException extends Exception {
    private static final long serialVersionUID = 1L;

    /** Why, for programs. Names travel on the wire. */
    public enum Code {
        /** The request is not understood: not JSON, too long, an argument missing or of the wrong type. */
        BAD_REQUEST,
        /** The two sides do not speak the same version. */
        VERSION,
        UNKNOWN_COMMAND,
        NOT_FOUND,
        EXISTS,
        /** In use: a busy mount, a mounted volume. */
        BUSY,
        /** The daemon is not, or no longer, able to do this. */
        UNAVAILABLE,
        FAILED
    }

    private final Code code;

    public AdminException(Code code, String message) {
        super(message);
        this.code = code;
    }

    public AdminException(Code code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    public Code code() {
        return code;
    }
}
