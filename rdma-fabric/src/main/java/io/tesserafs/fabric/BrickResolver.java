package io.tesserafs.fabric;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;

/** Knows where bricks are. Thread-safe. */
public interface BrickResolver {
    /**
     * @param node number of the node that has the brick
     * @param endpoint where that node listens, as it announced it
     */
    record Location(int node, String endpoint) {}

    /** @throws BrickException UNREACHABLE if nobody has it now */
    Location locate(BrickId brick) throws BrickException;
}
