package io.tesserafs.coherence.volume;

import io.tesserafs.coherence.membership.NodeId;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The newest epoch of a volume; 0 before the first owner. Changed only by raising it.
 *
 * @param owner the node elected for it, for people to read
 */
record EpochRecord(long epoch, @Nullable String owner) {
    /** Empty before the first owner. */
    Optional<NodeId> node() {
        return owner == null || !owner.matches("n[0-9]{1,5}")
                ? Optional.empty()
                : Optional.of(new NodeId(Integer.parseInt(owner.substring(1))));
    }
}
