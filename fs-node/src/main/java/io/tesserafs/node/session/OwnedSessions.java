package io.tesserafs.node.session;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionTable;
import io.tesserafs.coherence.session.SessionTable.Session;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.fabric.brick.SessionId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
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

    /** The one session there was, and how its node is reached. */
    record Lone(SessionId id, int node, NodeEnd end) {}

    /** Guarded by this, as is the rest. */
    private final SessionTable table;

    private final Map<SessionId, AnsweredCalls> calls = new HashMap<>();
    private final Map<SessionId, SessionCalls> sessionCalls = new HashMap<>();
    private final Map<SessionId, NodeEnd> ends = new HashMap<>();
    /** The session that was told it is alone, if any, until it is certain that its node does not rely on that any more. */
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
     * @throws IOException this owner is closed: the session may go on with the next
     */
    synchronized Admission admit(SessionId id, boolean local, SessionCodec.Opening opening, Consumer<Session> replaced)
            throws IOException {
        checkRunning();
        boolean known = table.find(id) != null;
        if (!table.mayAttach(id, opening.node(), opening.number())) {
            return Admission.REFUSED;
        }
        table.replacedBy(id, opening.node(), local).forEach(replaced);
        return known ? Admission.KNOWN : Admission.NEW;
    }

    private void checkRunning() throws IOException {
        if (closed) {
            throw new IOException("the volume's owner is closed");
        }
    }

    /**
     * The session stands from now on. False if it may not any more.
     *
     * @throws IOException this owner is closed: the session may go on with the next
     */
    synchronized boolean open(SessionId id, boolean local, SessionCodec.Opening opening, NodeEnd end)
            throws IOException {
        checkRunning();
        if (!table.open(id, opening.node(), local, opening.number(), System.nanoTime())) {
            return false;
        }
        ends.put(id, end);
        calls.computeIfAbsent(id, key -> new AnsweredCalls());
        if (id.equals(alone)) {
            alone = null; // who attaches anew does not rely on it any more
        }
        notifyAll();
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

    /** Who has to be told that it is not alone any more before that one comes in. Null if nobody has, or the owner is closed. */
    synchronized @Nullable Lone lone(SessionId newcomer) {
        SessionId told = alone;
        if (closed || told == null || told.equals(newcomer)) {
            return null;
        }
        Session session = table.find(told);
        NodeEnd end = ends.get(told);
        return session == null || end == null ? null : new Lone(told, session.node(), end);
    }

    /** Its node has taken note. */
    synchronized void endAlone(Lone lone) {
        if (lone.id.equals(alone)) {
            alone = null;
        }
        notifyAll();
    }

    /**
     * Waits until that is not what stands in the way any more: the node has taken note, or attached anew, or its session is forgotten, or the owner is closed.
     *
     * @param untilNs as {@link System#nanoTime}
     * @return false if it still does by then
     */
    @SuppressWarnings("ReferenceEquality") // an end is itself and no other
    synchronized boolean awaitNews(Lone lone, long untilNs) throws InterruptedException {
        while (!closed && lone.id.equals(alone) && ends.get(lone.id) == lone.end) {
            long leftNs = untilNs - System.nanoTime();
            if (leftNs <= 0) {
                return false;
            }
            TimeUnit.NANOSECONDS.timedWait(this, leftNs);
        }
        return true;
    }

    /** Returns when the session is forgotten, or the owner is closed. */
    synchronized void awaitForgotten(SessionId id) throws InterruptedException {
        while (!closed && table.find(id) != null) {
            wait();
        }
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
        notifyAll();
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
