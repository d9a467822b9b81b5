package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sees to it that what writers left behind, who died, becomes durable: on every brick, as soon as it answers. Thread-safe. */
final class Settler {
    private static final Logger LOG = LoggerFactory.getLogger(Settler.class);

    private final OwnerCore core;
    private final OwnerBricks bricks;
    private final LooseExtents extents;
    /** Bricks that may have extents of writers that died. */
    private final Set<BrickId> unsettled = ConcurrentHashMap.newKeySet();

    private final AtomicBoolean settling = new AtomicBoolean();

    Settler(OwnerCore core, OwnerBricks bricks) {
        this.core = core;
        this.bricks = bricks;
        this.extents = new LooseExtents(core);
    }

    LooseExtents extents() {
        return extents;
    }

    /** Nobody but the owner is left to make durable what a node wrote; wherever that is. */
    void settleSoon() {
        core.spaces.all().forEach(space -> unsettled.add(space.brick()));
    }

    /** On a thread of its own: it waits for devices of other hosts. */
    void settle() {
        if (!unsettled.isEmpty() && settling.compareAndSet(false, true)) {
            Thread.startVirtualThread(() -> {
                try {
                    unsettled.forEach(this::settle);
                } finally {
                    settling.set(false);
                }
            });
        }
    }

    private void settle(BrickId brick) {
        if (core.isStopped()
                || !brick.equals(bricks.local()) && !bricks.others().contains(brick)) {
            return;
        }
        unsettled.remove(brick); // first: what dies from now on is for the next time
        boolean done = false;
        try {
            extents.makeDurable(brick, bricks);
            done = true;
        } catch (BrickException | FsException e) {
            LOG.debug("volume {}: brick {} is settled later: {}", core.config.name(), brick, e.getMessage());
        } finally {
            if (!done) {
                unsettled.add(brick);
            }
        }
    }
}
