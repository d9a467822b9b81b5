package io.tesserafs.fabric.verbs;

import java.io.IOException;

/** A device does not hand a request back: until its queue pair is destroyed, it may still use the request's memory. */
final class UnreturnedException extends IOException {
    private static final long serialVersionUID = 1L;

    UnreturnedException(String message) {
        super(message);
    }
}
