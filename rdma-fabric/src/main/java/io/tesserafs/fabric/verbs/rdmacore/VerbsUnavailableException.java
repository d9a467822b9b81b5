package io.tesserafs.fabric.verbs.rdmacore;

import java.io.IOException;

/** RDMA cannot be used on this host, or with the libraries that it has; the message says why. */
public final class VerbsUnavailableException extends IOException {
    private static final long serialVersionUID = 1L;

    public VerbsUnavailableException(String message) {
        super(message);
    }
}
