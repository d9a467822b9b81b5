package io.tesserafs.coherence.token;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The owner's table: who holds which range of what, and who waits. One per volume and epoch.
 *
 * <p>A pure state machine: no I/O, no clock, one thread at a time. Messages go in by {@link #receive}, and come out through
 * {@link Output} before it returns.
 *
 * <p>Invariant: at any moment at most one session holds a byte EXCLUSIVE, and then no other holds it at all. What a session
 * <em>believes</em> to hold is never more than what the table says it holds, plus grants under way to it, minus releases under way.
 */
public final class TokenTable {
    /** Where messages go; called within {@link #receive} and {@link #endSession}. */
    @FunctionalInterface
    public interface Output {
        void send(SessionId to, TokenMessage.ToNode message);
    }

    private final Map<Resource, ResourceTokens> resources = new HashMap<>();
    private final Output output;
    private long lastSequence;

    public TokenTable(Output output) {
        this.output = output;
    }

    public void receive(SessionId from, TokenMessage.ToOwner message) {
        switch (message) {
            case TokenMessage.Request request -> {
                Ranges.check(request.fromByte(), request.toByte());
                ResourceTokens tokens = resources.computeIfAbsent(request.resource(), ResourceTokens::new);
                tokens.request(this, from, request);
            }
            case TokenMessage.Release release -> {
                ResourceTokens tokens = resources.get(release.resource());
                if (tokens != null) {
                    tokens.release(this, from, release);
                    dropIfUnused(tokens);
                }
            }
        }
    }

    /** The session is over, and fenced where it could do harm: what it held is free, what it waited for is forgotten. */
    public void endSession(SessionId session) {
        for (ResourceTokens tokens : List.copyOf(resources.values())) {
            tokens.endSession(this, session);
            dropIfUnused(tokens);
        }
    }

    /** Resources that somebody holds or waits for. */
    public int resourceCount() {
        return resources.size();
    }

    /** The mode in which the session holds all of the range, if it does: for tests and for looking inside. */
    public @Nullable Mode held(SessionId session, Resource resource, long fromByte, long toByte) {
        ResourceTokens tokens = resources.get(resource);
        return tokens == null ? null : tokens.held(session, fromByte, toByte);
    }

    /** What is held of a resource, as text for people. */
    public List<String> describe(Resource resource) {
        ResourceTokens tokens = resources.get(resource);
        return tokens == null ? List.of() : new ArrayList<>(tokens.describe());
    }

    long nextSequence() {
        return ++lastSequence;
    }

    long lastSequence() {
        return lastSequence;
    }

    void send(SessionId to, TokenMessage.ToNode message) {
        output.send(to, message);
    }

    private void dropIfUnused(ResourceTokens tokens) {
        if (tokens.isUnused()) {
            resources.remove(tokens.resource());
        }
    }
}
