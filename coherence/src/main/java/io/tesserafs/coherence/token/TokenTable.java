package io.tesserafs.coherence.token;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
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
    /** Somebody waits there, or did when last looked. */
    private final Set<ResourceTokens> contended = new HashSet<>();

    private final Output output;
    private long lastSequence;

    /** Sequences of one epoch: far more than an owner can give out in its life. */
    private static final int SEQUENCE_BITS = 40;

    public TokenTable(Output output) {
        this(0, output);
    }

    /** @param epoch sequences of a later epoch are higher */
    public TokenTable(long epoch, Output output) {
        this.lastSequence = epoch << SEQUENCE_BITS;
        this.output = output;
    }

    /**
     * From now on the session holds exactly this, and waits for nothing. It is the session's own word: what was under way between it and an owner, this
     * one or an earlier one, is lost, and each side may believe in messages that the other never saw.
     *
     * @return the newest sequence given to any of it
     * @throws IllegalStateException it claims what another session holds: somebody lies, or the protocol is broken
     */
    public long reattach(SessionId session, List<TokenMessage.Held> holds) {
        for (ResourceTokens tokens : List.copyOf(resources.values())) {
            tokens.forget(session);
        }
        for (TokenMessage.Held held : holds) {
            Ranges.check(held.fromByte(), held.toByte());
            resources.computeIfAbsent(held.resource(), ResourceTokens::new).restore(this, session, held);
        }
        long newest = lastSequence;
        for (ResourceTokens tokens : List.copyOf(resources.values())) {
            tokens.advance(this);
            dropIfUnused(tokens);
        }
        return newest;
    }

    /** All that a session holds; for people, and for tests. */
    public List<TokenMessage.Held> holdings(SessionId session) {
        List<TokenMessage.Held> list = new ArrayList<>();
        for (ResourceTokens tokens : resources.values()) {
            tokens.collect(session, list);
        }
        return list;
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

    /**
     * Gives the session all of the resource in that mode, unasked, if nobody is in the way and nobody waits for any of it. Recalls nothing: that somebody
     * will want it is only a guess.
     *
     * @return whether the session has it, from now or from before
     */
    public boolean offer(SessionId session, Resource resource, Mode mode) {
        return resources.computeIfAbsent(resource, ResourceTokens::new).offer(this, session, mode);
    }

    /** The session is over, and fenced where it could do harm: what it held is free, what it waited for is forgotten. */
    public void endSession(SessionId session) {
        for (ResourceTokens tokens : List.copyOf(resources.values())) {
            tokens.endSession(this, session);
            dropIfUnused(tokens);
        }
    }

    /**
     * Recalls all that is held of an inode now, although nobody waits for it. Who wants it afterwards gets it, also before this is done.
     *
     * @param onDone called once, in this call or a later one: everything that was held has been released, or its session is over
     */
    public void recall(long inode, Runnable onDone) {
        List<ResourceTokens> held = new ArrayList<>();
        for (Resource.Kind kind : Resource.Kind.values()) {
            ResourceTokens tokens = resources.get(new Resource(inode, kind));
            if (tokens != null) {
                held.add(tokens);
            }
        }
        if (held.isEmpty()) {
            onDone.run();
            return;
        }
        AtomicInteger left = new AtomicInteger(held.size());
        for (ResourceTokens tokens : held) {
            tokens.sweep(this, () -> {
                if (left.decrementAndGet() == 0) {
                    onDone.run();
                }
            });
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

    /** A range that a session holds, or one that it waits for; for people. */
    public record Entry(
            SessionId session, Resource resource, long fromByte, long toByte, Mode mode, boolean isWaiting) {}

    /** What sessions hold and wait for, in no order; at most {@code max}. */
    public List<Entry> entries(int max) {
        List<Entry> list = new ArrayList<>();
        for (ResourceTokens tokens : resources.values()) {
            tokens.list(list);
            if (list.size() >= max) {
                return List.copyOf(list.subList(0, max));
            }
        }
        return list;
    }

    /** What sessions hold of an inode, and wait for. */
    public List<Entry> entriesOf(long inode) {
        List<Entry> list = new ArrayList<>();
        for (Resource.Kind kind : Resource.Kind.values()) {
            ResourceTokens tokens = resources.get(new Resource(inode, kind));
            if (tokens != null) {
                tokens.list(list);
            }
        }
        return list;
    }

    /** What a session was asked to give up and still holds. A part that it releases makes it another one. */
    public record Awaited(SessionId session, Resource resource, long fromByte, long toByte, long sequence) {}

    /** All recalls under way for requests that wait. */
    public Set<Awaited> awaited() {
        List<Awaited> list = new ArrayList<>();
        contended.removeIf(tokens -> !tokens.awaited(list));
        return Set.copyOf(list);
    }

    void contended(ResourceTokens tokens) {
        contended.add(tokens);
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
            contended.remove(tokens);
        }
    }
}
