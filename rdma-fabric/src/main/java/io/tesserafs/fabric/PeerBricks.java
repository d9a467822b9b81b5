package io.tesserafs.fabric;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;

/** A way to reach the bricks of peers. Thread-safe. */
public interface PeerBricks {
    /**
     * Opens a session's calls to a brick at the other end of a connection that this daemon made.
     *
     * @throws BrickException UNREACHABLE if the peer does not answer or has no such brick, FENCED if the brick refuses the session
     */
    BrickClient connect(Connection connection, BrickId brick, SessionId session) throws BrickException;
}
