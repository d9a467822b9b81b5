package io.tesserafs.fabric.peer;

/** This daemon's door to the others: accepts their connections and makes new ones. Thread-safe. */
public interface Transport extends AutoCloseable {
    /** Registers what is served under a number (1..255); before the first connection, each number once. */
    void serve(int service, Service handler);

    /** Begins to accept connections. Returns the endpoint to announce, say {@code tcp://10.0.0.1:7600}. */
    String start() throws PeerException;

    /** Connects to an endpoint; blocks for at most a few seconds. */
    Connection connect(String endpoint) throws PeerException;

    /** Closes every connection and stops accepting. Idempotent. */
    @Override
    void close();
}
