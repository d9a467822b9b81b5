package io.tesserafs.fabric.pmem;

import java.io.IOException;

/** A system call failed in a way its caller does not tolerate. */
final class NativeCallException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    NativeCallException(String call, int errno, String description) {
        super(call + ": " + description + " (errno " + errno + ")");
        this.errno = errno;
    }

    int errno() {
        return errno;
    }
}
