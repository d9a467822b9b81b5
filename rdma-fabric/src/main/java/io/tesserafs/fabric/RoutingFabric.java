package io.tesserafs.fabric;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.ConnectionPool;
import io.tesserafs.fabric.peer.PeerException;

/**
 * The fabric of a daemon: this process's bricks directly, others through their node. A client that was handed out stays with the
 * connection it was made on; when that ends, so do the client and its handles, and connecting again makes a new one.
 */
public final class RoutingFabric implements Fabric {
    private final LocalFabric local;
    private final PeerBricks bricks;
    private final ConnectionPool connections;
    private final BrickResolver resolver;

    /** @param connections of the transport that {@code bricks} belong to */
    public RoutingFabric(LocalFabric local, PeerBricks bricks, ConnectionPool connections, BrickResolver resolver) {
        this.local = local;
        this.bricks = bricks;
        this.connections = connections;
        this.resolver = resolver;
    }

    @Override
    public BrickClient connect(BrickId brick, SessionId session) throws BrickException {
        if (local.has(brick)) {
            return local.connect(brick, session);
        }
        BrickResolver.Location location = resolver.locate(brick);
        try {
            Connection connection = connections.get(location.endpoint());
            if (connection.peer().node() != location.node()) {
                throw new BrickException(
                        Reason.UNREACHABLE,
                        "brick " + brick + " should be on node " + location.node() + ", but at " + location.endpoint()
                                + " is " + connection.peer());
            }
            return bricks.connect(connection, brick, session);
        } catch (PeerException e) {
            throw new BrickException(Reason.UNREACHABLE, "brick " + brick + ": " + e.getMessage(), e);
        }
    }
}
