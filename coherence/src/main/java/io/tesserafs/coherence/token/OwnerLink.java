package io.tesserafs.coherence.token;

/**
 * A node's way to the owner of a volume. Thread-safe.
 *
 * <p>Messages arrive in the order sent, once each, or the session ends. What comes back goes to the {@link Receiver}, on any thread,
 * one message at a time, possibly before {@link #send} returns.
 */
public interface OwnerLink {
    /** Does not block. */
    void send(TokenMessage.ToOwner message);

    /** Set once, before the first message is sent. */
    void connect(Receiver receiver);

    /** Takes what the owner says. Must not block. */
    @FunctionalInterface
    interface Receiver {
        void receive(TokenMessage.ToNode message);
    }
}
