package io.tesserafs.coherence.token;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A node's way to the owner of a volume. Thread-safe.
 *
 * <p>Messages arrive in the order sent, once each, or the link is broken and nothing arrives any more: then another link is made, to the same
 * owner or a new one, and the node says what it holds. What comes back goes to the {@link Receiver}, on any thread, one message at a
 * time, possibly before {@link #send} returns.
 */
public interface OwnerLink {
    /** Does not block. */
    void send(TokenMessage.ToOwner message);

    /**
     * Called once, before the first message is sent.
     *
     * @param holds what the node holds
     * @return the newest sequence that the owner gave to any of it; nothing that is sent later has one as low
     */
    CompletableFuture<Long> connect(List<TokenMessage.Held> holds, Receiver receiver);

    /** Takes what the owner says. Must not block. */
    @FunctionalInterface
    interface Receiver {
        void receive(TokenMessage.ToNode message);

        /** As {@link #receive}; it is enough if the node has it before the answer that the owner is just working on. */
        default void receiveWithAnswer(TokenMessage.ToNode message) {
            receive(message);
        }
    }
}
