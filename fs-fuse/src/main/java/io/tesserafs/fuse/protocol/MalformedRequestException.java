package io.tesserafs.fuse.protocol;

/** A request that breaks the protocol; answered with {@link #errno()}. Has no stack trace: only its message matters. */
final class MalformedRequestException extends RuntimeException {
    private final int errno;

    MalformedRequestException(int errno, String message) {
        super(message, null, false, false);
        this.errno = errno;
    }

    int errno() {
        return errno;
    }
}
