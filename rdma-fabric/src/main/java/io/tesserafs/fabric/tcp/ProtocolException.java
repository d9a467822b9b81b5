package io.tesserafs.fabric.tcp;

import java.io.IOException;

/** The peer sent what it must not send. The connection ends: after that nothing it says can be understood. */
final class ProtocolException extends IOException {
    private static final long serialVersionUID = 1L;

    ProtocolException(String message) {
        super(message);
    }
}
