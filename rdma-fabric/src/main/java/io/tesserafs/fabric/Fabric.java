package io.tesserafs.fabric;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;

/** A way to reach bricks. Thread-safe. The provider is chosen per brick at connect; callers do not see which one it is. */
public interface Fabric {
    /**
     * Opens a client for one session at one brick. May block while it connects. Several clients of one session are
     * independent but for FENCE, which hits them all.
     *
     * @throws BrickException UNREACHABLE if no provider reaches the brick, FENCED if the brick refuses the session
     */
    BrickClient connect(BrickId brick, SessionId session) throws BrickException;
}
