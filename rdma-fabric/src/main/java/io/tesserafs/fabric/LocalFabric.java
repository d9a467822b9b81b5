package io.tesserafs.fabric;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * The provider for bricks of this process: calls are method calls, and a one-sided read or write is a memory copy out of or
 * into the mapped pool. It owns no brick; whoever attached one detaches it before closing it.
 */
public final class LocalFabric implements Fabric {
    private final ConcurrentMap<BrickId, LocalBrick> bricks = new ConcurrentHashMap<>();

    /** Makes the brick reachable under its own number. */
    public void attach(LocalBrick brick) {
        if (bricks.putIfAbsent(brick.id(), brick) != null) {
            throw new IllegalStateException("brick " + brick.id() + " is attached already");
        }
    }

    /** Takes the brick away from later {@link #connect} calls; clients that exist keep working until the brick closes. */
    public void detach(LocalBrick brick) {
        bricks.remove(brick.id(), brick);
    }

    /** Whether the brick is attached now. */
    public boolean has(BrickId brick) {
        return bricks.containsKey(brick);
    }

    @Override
    public BrickClient connect(BrickId brick, SessionId session) throws BrickException {
        LocalBrick local = bricks.get(brick);
        if (local == null) {
            throw new BrickException(BrickException.Reason.UNREACHABLE, "brick " + brick + " is not on this host");
        }
        return local.connect(session);
    }
}
