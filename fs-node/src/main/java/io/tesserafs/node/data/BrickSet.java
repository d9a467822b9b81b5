package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;

/** The bricks that this node reaches, under its session. Thread-safe. */
public interface BrickSet {
    /** This node's own brick, where its new extents go first. */
    BrickClient home();

    /**
     * May block while it connects.
     *
     * @throws BrickException UNREACHABLE, FENCED
     */
    BrickClient client(BrickId brick) throws BrickException;

    /** A client does not work any more: the next {@link #client} makes another. */
    default void failed(BrickClient client) {}

    /** Whether the volume has other bricks: then calls and handles may have to wait for another host. */
    boolean hasOthers();

    /** Just one brick, of this process. */
    static BrickSet only(BrickClient brick) {
        return new BrickSet() {
            @Override
            public BrickClient home() {
                return brick;
            }

            @Override
            public BrickClient client(BrickId wanted) throws BrickException {
                if (!wanted.equals(brick.brick())) {
                    throw new BrickException(
                            BrickException.Reason.UNREACHABLE, "no connection to brick " + wanted + " from this node");
                }
                return brick;
            }

            @Override
            public boolean hasOthers() {
                return false;
            }
        };
    }
}
