package io.tesserafs.node.daemon;

import io.tesserafs.coherence.membership.NodeId;
import java.io.IOException;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Which node owns a volume: as ZooKeeper says, and while it cannot be asked, as it last said. Nobody can have been elected by a ZooKeeper that is away; if it is away
 * for this node only, that owner will say so. Thread-safe.
 */
final class OwnerPlace {
    /** What is registered. */
    interface Registry {
        /** The node that was elected last; empty if none was. May block. */
        Optional<NodeId> owner() throws IOException;
    }

    private final BooleanSupplier connected;
    private final Registry registry;
    private volatile @Nullable NodeId last;

    /** @param connected false if asking would only take long to fail; if true it may fail all the same */
    OwnerPlace(BooleanSupplier connected, Registry registry) {
        this.connected = connected;
        this.registry = registry;
    }

    /**
     * The node that was elected last, as far as this one knows; empty if none was.
     *
     * @throws IOException ZooKeeper cannot be asked, and never said
     */
    Optional<NodeId> find() throws IOException {
        NodeId known = last;
        if (known != null && !connected.getAsBoolean()) {
            return Optional.of(known);
        }
        try {
            Optional<NodeId> owner = registry.owner();
            owner.ifPresent(node -> last = node);
            return owner;
        } catch (IOException e) {
            if (known == null) {
                throw e;
            }
            return Optional.of(known); // ZooKeeper went away while it was asked
        }
    }
}
