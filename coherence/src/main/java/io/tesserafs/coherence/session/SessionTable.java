package io.tesserafs.coherence.session;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The sessions of one volume, at its owner. A pure state machine: times are passed in (nanoseconds of a monotonic clock), and one thread uses it at a
 * time. What it decides the caller carries out: a session that is to be EVICTED is fenced on the bricks first, then
 * {@link #evicted} is called, and only after that may what it held be given to others.
 */
public final class SessionTable {
    /** Where a session stands. */
    public enum State {
        ACTIVE,
        /** Its time is over, or somebody wants it gone: it is being fenced. Nothing it says counts any more. */
        EVICTING;

        boolean mayBecome(State next) {
            return this == ACTIVE && next == EVICTING;
        }
    }

    /** One session. */
    public static final class Session {
        private final SessionId id;
        private final int node;
        private final boolean local;
        private long heardAtNs;
        private State state = State.ACTIVE;

        private Session(SessionId id, int node, boolean local, long nowNs) {
            this.id = id;
            this.node = node;
            this.local = local;
            this.heardAtNs = nowNs;
        }

        public SessionId id() {
            return id;
        }

        public int node() {
            return node;
        }

        /** Of the owner's own process: the two cannot lose sight of each other. */
        public boolean isLocal() {
            return local;
        }

        public State state() {
            return state;
        }

        public long heardAtNs() {
            return heardAtNs;
        }

        private void become(State next) {
            if (!state.mayBecome(next)) {
                throw new IllegalStateException("a session that is " + state + " cannot become " + next);
            }
            state = next;
        }
    }

    private final long lifeNs;
    private final Map<SessionId, Session> sessions = new LinkedHashMap<>();

    public SessionTable(SessionTerms terms) {
        this.lifeNs = TimeUnit.MILLISECONDS.toNanos(terms.ownerWaitsMs());
    }

    /** False if there is one of that id which is being evicted, or of another node. */
    public boolean open(SessionId id, int node, boolean local, long nowNs) {
        Session known = sessions.get(id);
        if (known == null) {
            sessions.put(id, new Session(id, node, local, nowNs));
            return true;
        }
        return known.node == node && renew(id, nowNs);
    }

    /** False if it is unknown or over: the node has to begin anew. */
    public boolean renew(SessionId id, long nowNs) {
        Session session = sessions.get(id);
        if (session == null || session.state != State.ACTIVE) {
            return false;
        }
        session.heardAtNs = Math.max(session.heardAtNs, nowNs);
        return true;
    }

    public @Nullable Session find(SessionId id) {
        return sessions.get(id);
    }

    public Collection<Session> all() {
        return List.copyOf(sessions.values());
    }

    /** Sessions whose time is over, now EVICTING. Each is returned once. */
    public List<Session> expire(long nowNs) {
        List<Session> expired = new ArrayList<>(0);
        for (Session session : sessions.values()) {
            if (!session.local && session.state == State.ACTIVE && nowNs - session.heardAtNs > lifeNs) {
                session.become(State.EVICTING);
                expired.add(session);
            }
        }
        return expired;
    }

    /** Somebody wants the session gone. Null if it is not there, or on its way already. */
    public @Nullable Session evict(SessionId id) {
        Session session = sessions.get(id);
        if (session == null || session.state != State.ACTIVE) {
            return null;
        }
        session.become(State.EVICTING);
        return session;
    }

    /** It is fenced, or the node said itself that it is done. */
    public void evicted(SessionId id) {
        sessions.remove(id);
    }

    public int size() {
        return sessions.size();
    }
}
