package io.tesserafs.fabric.verbs;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Why a wire is of no use any more. The first reason counts. Thread-safe. */
final class WireEnd {
    private final AtomicReference<@Nullable String> reason = new AtomicReference<>();

    /** Returns false if it had ended before. */
    boolean set(String why) {
        return reason.compareAndSet(null, why);
    }

    boolean isSet() {
        return reason.get() != null;
    }

    /** What to throw. */
    IOException failure() {
        return new IOException(String.valueOf(reason.get()));
    }
}
