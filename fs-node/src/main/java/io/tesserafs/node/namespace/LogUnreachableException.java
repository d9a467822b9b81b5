package io.tesserafs.node.namespace;

import java.io.IOException;

/** No brick that has the whole log of a volume answers. Nothing is known to be damaged, and nothing was changed. */
public final class LogUnreachableException extends IOException {
    private static final long serialVersionUID = 1L;

    LogUnreachableException(String message, Throwable cause) {
        super(message, cause);
    }
}
