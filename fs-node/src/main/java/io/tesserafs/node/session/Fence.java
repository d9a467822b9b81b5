package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.SessionId;

/** What keeps a session from writing to the bricks, whatever its node still believes. */
@FunctionalInterface
public interface Fence {
    /** Kills every handle of the session on all bricks; returns when none of its writes can land any more. May block. */
    void fence(SessionId victim, int node) throws InterruptedException;
}
