package io.tesserafs.coherence.session;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
        /** The newest OPEN that was carried out; 0 for none by this owner. */
        private long opening;

        /** The node said itself that it is over. */
        private boolean disowned;

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
    /** Sessions of the last owner that are neither back nor over. */
    private final Set<SessionId> awaited = new HashSet<>();

    public SessionTable(SessionTerms terms) {
        this.lifeNs = TimeUnit.MILLISECONDS.toNanos(terms.ownerWaitsMs());
    }

    /** The last owner had it. Until it {@link #isBack}, nobody knows what it holds. */
    public void inherit(SessionId id, int node, long nowNs) {
        sessions.put(id, new Session(id, node, false, nowNs));
        awaited.add(id);
    }

    /** What every session holds is known: the grace period is over. */
    public boolean isComplete() {
        return awaited.isEmpty();
    }

    /** Of the last owner, and neither back nor over. */
    public boolean isAwaited(SessionId id) {
        return awaited.contains(id);
    }

    /** It has said what it holds, or will never. True if that ends the grace period. */
    public boolean isBack(SessionId id) {
        return awaited.remove(id) && awaited.isEmpty();
    }

    /**
     * Whether a node may open this session. One that it had already must be known and alive: if it is not, then it was evicted, by this owner or an earlier one,
     * what it holds may be another's, and bricks refuse it for ever.
     *
     * @param opening counts the node's OPENs of the session, from 1 for the one that begins it. One with a lower number than another that was carried out was
     *     given up by the node, and what it says is out of date: it came by a connection that is none any more.
     */
    public boolean mayAttach(SessionId id, int node, long opening) {
        Session known = sessions.get(id);
        if (known == null) {
            return opening == 1;
        }
        return known.node == node && known.state == State.ACTIVE && opening > known.opening;
    }

    /**
     * Other sessions of that node, now EVICTING: by beginning this one, the node says that they are over.
     *
     * @param certain nothing that the node said earlier can arrive later; over a network it can, by another connection, and then this
     *     session is the older one, and the other still believed in
     */
    public List<Session> replacedBy(SessionId id, int node, boolean certain) {
        List<Session> replaced = new ArrayList<>(0);
        for (Session other : sessions.values()) {
            if (other.node != node || other.id.equals(id)) {
                continue;
            }
            other.disowned |= certain;
            if (other.state == State.ACTIVE) {
                other.become(State.EVICTING);
                replaced.add(other);
            }
        }
        return replaced;
    }

    /**
     * For how long its node may still believe in the session and serve what it has cached, which no fence prevents. What it held must not be given to others
     * before.
     */
    public long believedForNs(Session session, long nowNs) {
        return session.disowned ? 0 : Math.max(0, session.heardAtNs + lifeNs - nowNs);
    }

    /** False if it {@link #mayAttach} not. */
    public boolean open(SessionId id, int node, boolean local, long opening, long nowNs) {
        if (!mayAttach(id, node, opening)) {
            return false;
        }
        Session session = sessions.computeIfAbsent(id, key -> new Session(key, node, local, nowNs));
        session.opening = opening;
        return renew(id, nowNs);
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
