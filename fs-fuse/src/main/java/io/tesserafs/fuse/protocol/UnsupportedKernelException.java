package io.tesserafs.fuse.protocol;

import java.io.IOException;

/** The kernel speaks a FUSE protocol that is too old, or something else altogether. */
public final class UnsupportedKernelException extends IOException {
    public UnsupportedKernelException(String message) {
        super(message);
    }
}
