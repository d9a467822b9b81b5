package io.tesserafs.node.session;

import io.tesserafs.fabric.peer.Connection;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Knows who owns a volume just now. Thread-safe. */
public interface OwnerFinder {
    /** Where the owner is: exactly one of the two is there. */
    record Whereabouts(@Nullable OwnedVolume here, @Nullable Connection there) {}

    /**
     * May block while it connects.
     *
     * @throws IOException nobody owns the volume, or its owner is not reached
     */
    Whereabouts find(int volume) throws IOException;
}
