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

    /**
     * Whether the owner of that epoch was replaced by one that has not begun yet: at some moment after the call. Then nobody can have given what sessions hold to
     * others, and the one to come waits for them as long as if they had been renewed at that moment. May block.
     */
    default boolean isVacant(int volume, long epoch) throws IOException {
        return false;
    }
}
