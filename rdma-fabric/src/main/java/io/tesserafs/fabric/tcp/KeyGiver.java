package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import org.jspecify.annotations.Nullable;

/** Gives peers keys for their devices, together with the handles that MAP gives them. Thread-safe. */
public interface KeyGiver {
    /** Null if there is none; the peer may ask for it another way, and hears why. */
    @Nullable
    RemoteKey give(Connection peer, int queuePair, SessionId session, BlockHandle handle);
}
