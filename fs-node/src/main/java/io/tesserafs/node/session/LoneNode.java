package io.tesserafs.node.session;

import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.fabric.brick.SessionId;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells a node that it is alone with the volume, so that it may cache what it likes, and that it is not any more: before a second one comes in, which waits
 * until the first has taken note, or has attached anew, which nobody does who relies on being alone, or is evicted. Thread-safe.
 */
final class LoneNode {
    private static final Logger LOG = LoggerFactory.getLogger(LoneNode.class);

    /** How a newcomer comes in. */
    interface Entry<T extends @Nullable Object> {
        T enter() throws IOException;
    }

    private final int volume;
    private final OwnedSessions sessions;
    private final long patienceNs;
    private final Consumer<SessionId> evict;

    /** Held while a node is told, so that it hears it in the right order. Before the monitor of the sessions. */
    private final ReentrantLock telling = new ReentrantLock();

    /**
     * @param evict ends a session whose node does not answer for as long as sessions live; returns when what it held is free, or at once if the session is
     *     ending already
     */
    LoneNode(int volume, OwnedSessions sessions, SessionTerms terms, Consumer<SessionId> evict) {
        this.volume = volume;
        this.sessions = sessions;
        this.patienceNs = TimeUnit.MILLISECONDS.toNanos(terms.ownerWaitsMs());
        this.evict = evict;
    }

    /**
     * Tells the node that is alone that it is not any more, unless it is the same, and then lets the newcomer in, before anybody else is told anything.
     *
     * @param node of the newcomer
     * @throws IOException it was not let in
     */
    <T extends @Nullable Object> T letIn(SessionId newcomer, int node, Entry<T> enter) throws IOException {
        while (true) {
            OwnedSessions.Lone silent;
            long sinceNs;
            telling.lock();
            try {
                sinceNs = System.nanoTime();
                silent = end(newcomer);
                // The node itself has ended the other session; who comes from elsewhere waits for that one all the
                // same.
                if (silent == null || silent.node() == node) {
                    return enter.enter();
                }
            } finally {
                telling.unlock();
            }
            await(silent, sinceNs + patienceNs);
        }
    }

    /** Returns who relies on being alone and does not answer. */
    private OwnedSessions.@Nullable Lone end(SessionId newcomer) {
        OwnedSessions.Lone lone = sessions.lone(newcomer);
        if (lone == null) {
            return null;
        }
        try {
            lone.end().alone(false);
        } catch (IOException e) {
            LOG.info("volume {}: {} does not answer now: {}", volume, lone.id(), e.getMessage());
            return lone;
        }
        sessions.endAlone(lone);
        return null;
    }

    /** A node whose connection broke is back soon, or its lease ends. Without the lock: it has to get in. */
    private void await(OwnedSessions.Lone silent, long untilNs) throws IOException {
        try {
            if (!sessions.awaitNews(silent, untilNs)) {
                LOG.warn("volume {}: {} does not answer; it is evicted", volume, silent.id());
                evict.accept(silent.id());
                sessions.awaitForgotten(silent.id());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
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
