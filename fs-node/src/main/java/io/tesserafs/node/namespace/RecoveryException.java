package io.tesserafs.node.namespace;

import java.io.IOException;

/** A volume cannot be brought up: what is on its bricks is damaged or inconsistent. The message says what and where; nothing was changed. */
public final class RecoveryException extends IOException {
    private static final long serialVersionUID = 1L;

    public RecoveryException(String message) {
        super(message);
    }

    public RecoveryException(String message, Throwable cause) {
        super(message, cause);
    }
}
