package io.tesserafs.coherence.volume;

import java.io.IOException;

/** A newer owner exists: whoever sees this was deposed and must not write another byte. */
public final class StaleEpochException extends IOException {
    private static final long serialVersionUID = 1L;

    public StaleEpochException(String message) {
        super(message);
    }
}
