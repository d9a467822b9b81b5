package io.tesserafs.fabric.verbs.rdmacore;

import java.io.IOException;

/** A call to libibverbs, librdmacm or the kernel behind them failed. */
public final class VerbsException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    VerbsException(String call, int errno) {
        super(call + ": " + Errors.describe(errno) + " (errno " + errno + ")");
        this.errno = errno;
    }

    public int errno() {
        return errno;
    }
}
