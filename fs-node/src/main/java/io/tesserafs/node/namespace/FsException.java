package io.tesserafs.node.namespace;

/**
 * An operation ended with an errno the application shall see. Stackless: these are ordinary outcomes (ENOENT, EEXIST), on hot
 * paths; failures of the system itself are other exceptions.
 */
public class FsException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int errno;

    public FsException(int errno, String message) {
        super(message, null, false, false);
        this.errno = errno;
    }

    public int errno() {
        return errno;
    }
}
