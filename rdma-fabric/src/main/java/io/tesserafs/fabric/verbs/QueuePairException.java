package io.tesserafs.fabric.verbs;

import java.io.IOException;

/** An operation on a queue pair failed, which ends the queue pair. It may or may not have been carried out. */
final class QueuePairException extends IOException {
    private static final long serialVersionUID = 1L;

    QueuePairException(String message) {
        super(message);
    }

    QueuePairException(String message, Throwable cause) {
        super(message, cause);
    }
}
