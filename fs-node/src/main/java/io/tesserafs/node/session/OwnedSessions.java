package io.tesserafs.node.session;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionTable;
import io.tesserafs.coherence.session.SessionTable.Session;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The sessions of one volume and what its owner keeps for each. It decides; {@link OwnedVolume} carries out. Thread-safe by its monitor, which is held for
 * moments; nothing that waits happens under it.
 */
final class OwnedSessions {
    /** Whether a session may begin or go on. */
    enum Admission {
        REFUSED,
        NEW,
        /** It was there before, and so is written down. */
        KNOWN
    }

    /** A session that is alive. */
    record Live(AnsweredCalls calls, NodeEnd end) {}

    /** The one session there was. */
    record Lone(SessionId id, NodeEnd end) {}

    /** Guarded by this, as is the rest. */
    private final SessionTable table;

    private final Map<SessionId, AnsweredCalls> calls = new HashMap<>();
    private final Map<SessionId, SessionCalls> sessionCalls = new HashMap<>();
    private final Map<SessionId, NodeEnd> ends = new HashMap<>();
    /** The session that was told it is alone, if any. */
    private @Nullable SessionId alone;

    private boolean closed;

    OwnedSessions(SessionTerms terms) {
        this.table = new SessionTable(terms);
    }

    /** See {@link SessionTable#inherit}. */
    synchronized void inherit(SessionId id, int node, long heardAtNs) {
        table.inherit(id, node, heardAtNs);
    }

    /**
     * Whether the node may open the session.
     *
     * @param replaced takes, under the monitor, the sessions that this one ends: they are EVICTING now
     */
    synchronized Admission admit(
            SessionId id, boolean local, SessionCodec.Opening opening, Consumer<Session> replaced) {
        boolean known = table.find(id) != null;
        if (closed || !table.mayAttach(id, opening.node(), opening.number())) {
            return Admission.REFUSED;
        }
        table.replacedBy(id, opening.node(), local).forEach(replaced);
        return known ? Admission.KNOWN : Admission.NEW;
    }

    /** The session stands from now on. False if it may not any more. */
    synchronized boolean open(SessionId id, boolean local, SessionCodec.Opening opening, NodeEnd end) {
        if (closed || !table.open(id, opening.node(), local, opening.number(), System.nanoTime())) {
            return false;
        }
        ends.put(id, end);
        calls.computeIfAbsent(id, key -> new AnsweredCalls());
        return true;
    }

    /** It has said what it holds, or will never. True if that ends the grace period; {@link #opened} is to be called then. */
    synchronized boolean isBack(SessionId id) {
        return table.isBack(id);
    }

    /** The grace period is over, and everybody knows. */
    synchronized void opened() {
        notifyAll();
    }

    /** Returns when the grace period is over, or the owner is closed. */
    synchronized void awaitOpen() throws InterruptedException {
        while (!table.isComplete() && !closed) {
            wait();
        }
    }

    /** False during the grace period. */
    synchronized boolean isOpen() {
        return table.isComplete();
    }

    /** A sign of life. False if the session is over; null if this owner cannot say. */
    synchronized @Nullable Boolean renew(SessionId id) {
        if (closed || table.isAwaited(id)) {
            // It was the last owner's, and has to say first what it holds, also if both were in this process.
            return null;
        }
        return table.renew(id, System.nanoTime());
    }

    /** A call is a sign of life too. Null if the session is over, or this owner. */
    synchronized @Nullable Live alive(SessionId id) {
        if (closed || !table.renew(id, System.nanoTime())) {
            return null;
        }
        AnsweredCalls answered = calls.get(id);
        NodeEnd end = ends.get(id);
        return answered == null || end == null ? null : new Live(answered, end);
    }

    /** Whether what the session says counts. */
    synchronized boolean isActive(SessionId id) {
        Session session = table.find(id);
        return !closed && session != null && session.state() == SessionTable.State.ACTIVE;
    }

    synchronized @Nullable NodeEnd end(SessionId id) {
        return ends.get(id);
    }

    synchronized SessionCalls callsOf(SessionId id, Function<SessionId, SessionCalls> first) {
        return sessionCalls.computeIfAbsent(id, first);
    }

    /** Those that have begun and are not over. */
    synchronized Set<SessionId> living() {
        Set<SessionId> living = new HashSet<>();
        table.all().forEach(session -> living.add(session.id()));
        return living;
    }

    /** If one is left, and was not told so: from now on it counts as told. */
    synchronized @Nullable NodeEnd beginAlone() {
        if (closed || table.size() != 1 || alone != null || !table.isComplete()) {
            return null;
        }
        SessionId id = table.all().iterator().next().id();
        NodeEnd end = ends.get(id);
        if (end != null) {
            alone = id;
        }
        return end;
    }

    /** No session counts as alone any more. Returns the one that did, if it has to be told: who attaches anew does not rely on it any more. */
    synchronized @Nullable Lone endAlone(SessionId newcomer) {
        SessionId told = alone;
        alone = null;
        if (told == null || told.equals(newcomer)) {
            return null;
        }
        NodeEnd end = ends.get(told);
        return end == null ? null : new Lone(told, end);
    }

    /** Those whose time is over, EVICTING now. */
    synchronized List<Session> expire() {
        return table.expire(System.nanoTime());
    }

    /** See {@link SessionTable#evict}. */
    synchronized @Nullable Session evict(SessionId id) {
        return table.evict(id);
    }

    /** See {@link SessionTable#believedForNs}. */
    synchronized long believedForNs(Session session) {
        return table.believedForNs(session, System.nanoTime());
    }

    synchronized void forget(SessionId id) {
        table.evicted(id);
        ends.remove(id);
        calls.remove(id);
        sessionCalls.remove(id);
        if (id.equals(alone)) {
            alone = null;
        }
    }

    synchronized List<SessionView> views() {
        long now = System.nanoTime();
        List<SessionView> views = new ArrayList<>();
        for (Session session : table.all()) {
            views.add(new SessionView(
                    session.id(),
                    session.node(),
                    session.isLocal(),
                    session.state(),
                    table.isAwaited(session.id()),
                    now - session.heardAtNs()));
        }
        return views;
    }

    synchronized boolean isClosed() {
        return closed;
    }

    /** Nothing begins or goes on any more. */
    synchronized void close() {
        closed = true;
        notifyAll();
    }
}
