package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.SessionId;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells a node that it is alone with the volume, so that it may cache what it likes, and that it is not any more: before a second one comes in, which waits
 * until the first has taken note. Thread-safe.
 */
final class LoneNode {
    private static final Logger LOG = LoggerFactory.getLogger(LoneNode.class);

    private final int volume;
    private final OwnedSessions sessions;
    private final Consumer<SessionId> evict;

    /** Held while a node is told, so that it hears it in the right order. Before the monitor of the sessions. */
    private final ReentrantLock telling = new ReentrantLock();

    /** @param evict ends a session whose node does not answer; returns when what it held is free */
    LoneNode(int volume, OwnedSessions sessions, Consumer<SessionId> evict) {
        this.volume = volume;
        this.sessions = sessions;
        this.evict = evict;
    }

    /** Tells the node that is alone that it is not any more, unless it is the same, and then lets the newcomer in, before anybody else is told anything. */
    <T extends @Nullable Object> T letIn(SessionId newcomer, Supplier<T> enter) {
        telling.lock();
        try {
            end(newcomer);
            return enter.get();
        } finally {
            telling.unlock();
        }
    }

    private void end(SessionId newcomer) {
        OwnedSessions.Lone lone = sessions.endAlone(newcomer);
        if (lone == null) {
            return;
        }
        try {
            lone.end().alone(false);
        } catch (IOException e) {
            LOG.warn("volume {}: {} does not answer; it is evicted: {}", volume, lone.id(), e.getMessage());
            evict.accept(lone.id());
        }
    }

    /** If one session is left, its node is told. May block. */
    void tell() {
        telling.lock();
        try {
            NodeEnd end = sessions.beginAlone();
            if (end != null) {
                end.alone(true);
            }
        } catch (IOException e) {
            LOG.debug("volume {}: the one node left was not told", volume, e);
        } finally {
            telling.unlock();
        }
    }
}
