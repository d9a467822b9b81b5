package io.tesserafs.coherence.membership;

/** Told of the connection to ZooKeeper, in order, on the cluster client's own event thread (never on Curator's). */
@FunctionalInterface
public interface ConnectionListener {
    void connectionChanged(Connection state);

    /** The connection to ZooKeeper. */
    enum Connection {
        /** Connected, for the first time or again. After LOST it is a new session: ephemeral entries are gone. */
        CONNECTED,
        /** No server answers; the session may still be alive. */
        SUSPENDED,
        /** The session is over, or must be taken for that. */
        LOST
    }
}
