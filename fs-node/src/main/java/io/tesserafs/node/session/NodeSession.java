package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.coherence.session.Lease;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.RequestTag;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's session with the owner of one volume, wherever that is. A {@link SessionKeeper} finds the owner, attaches, renews the lease,
 * and when the connection or the owner is lost, finds it again. While the lease lasts, what the node holds stays good and calls wait; when
 * it ends, by this node's clock, everything cached is dropped and calls fail, until a new session begins. Thread-safe.
 */
public final class NodeSession implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NodeSession.class);
    /** A call that takes longer is tried again, under the same number. */
    private static final long CALL_TIMEOUT_MS = 30_000;

    /** Until the owner is found again to be told that the session is over. It would wait for longer, but who unmounts waits as well. */
    private static final long GOODBYE_PATIENCE_MS = 2_000;

    /** The call that the running thread makes again, under the number it has. */
    static final ScopedValue<PendingCall> REPEATED = ScopedValue.newInstance();

    /** Where the session stands. */
    public enum State {
        /** No session yet, or none any more: calls fail. */
        NONE,
        /** The owner is not reached, but the lease lasts: calls wait. */
        DETACHED,
        ATTACHED,
        CLOSED;

        boolean mayBecome(State next) {
            return switch (this) {
                case NONE -> next == ATTACHED || next == CLOSED;
                case DETACHED -> next != DETACHED;
                case ATTACHED -> next != ATTACHED;
                case CLOSED -> false;
            };
        }
    }

    /** What the session's state means for the mount. Called on the session's threads, or an owner's. */
    public interface Node {
        /** See {@code TesseraFileSystem.alone}. May block. */
        void alone(boolean alone);

        /** The session is over: nothing that is cached or unsaved is worth anything. Tokens are gone already. May block. */
        void sessionLost();

        /** An inode has no name any more: {@code unreferenced} is to be called once nothing here refers to it, perhaps at once. Must not block. */
        void orphaned(long ino);

        /** A new session is about to begin; bricks are to be reached under it. */
        void sessionBegins(SessionId session);

        /** Whether another node can own the volume. */
        boolean hasRivals();
    }

    private final int volume;
    private final TokenCache tokens;
    private final Node callbacks;
    private final SessionCounters counters = new SessionCounters();
    private final KnownMetadata known;
    private final RemoteVolume remote;
    private final SessionLocks locks;
    private final SessionKeeper keeper;
    /** Ends the session when its lease ends, whatever the keeper is waiting for just then. */
    private final Thread watcher;

    /** Guarded by this, as is the rest that is not volatile. */
    private State state = State.NONE;

    /** Numbers of calls that have no answer yet. The owner forgets its answers to those below the first. */
    private final TreeSet<Long> unanswered = new TreeSet<>();
    /** The newest number of a call. Numbers go on from session to session, so that none is used twice. */
    private long lastCall;
    /** This node's sessions with the volume that are over. */
    private long sessions;

    private volatile @Nullable OwnerConnection link;
    private volatile SessionId session = new SessionId(1);
    private @Nullable Lease lease;
    /** What the last session covered is being dropped. */
    private boolean losing;

    public NodeSession(
            int volume, int node, OwnerFinder finder, NodeEndpoint endpoint, TokenCache tokens, Node callbacks) {
        this.volume = volume;
        this.tokens = tokens;
        this.callbacks = callbacks;
        this.known = new KnownMetadata(tokens::isHeldSince);
        OwnerCalls calls = new OwnerCalls(this::call, counters);
        this.remote = new RemoteVolume(calls, known);
        this.locks = new SessionLocks(this, calls);
        this.keeper = new SessionKeeper(this, volume, node, finder, endpoint, tokens, callbacks, locks, known, remote);
        this.watcher =
                Thread.ofPlatform().daemon().name("tessera-lease-" + volume).unstarted(this::watch);
    }

    public void start() {
        keeper.start();
        watcher.start();
    }

    /** The volume's owner, through this session. */
    public VolumeService service() {
        return new SessionVolume(this, remote);
    }

    public SessionCounters counters() {
        return counters;
    }

    /** The volume's file locks, through this session. */
    public LockService locks() {
        return locks;
    }

    public SessionId id() {
        return session;
    }

    public synchronized State state() {
        return state;
    }

    /** Waits until the session is there. False if it is not in time. */
    public synchronized boolean awaitAttached(long timeoutMs) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        while (state != State.ATTACHED && state != State.CLOSED) {
            long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
            if (left <= 0) {
                return false;
            }
            wait(left);
        }
        return state == State.ATTACHED;
    }

    /** The owner, if it is in this process and the session with it stands. */
    @Nullable
    OwnedVolume ownerHere() {
        OwnerConnection current = link;
        return current == null ? null : current.here();
    }

    /** Whether this is the way to the owner now. */
    boolean isLink(OwnerConnection which) {
        return link == which;
    }

    /** Whether a failure of the owner in this process was its end, and not an answer. Then the call is to be made anew. */
    boolean isGone(OwnedVolume owner) {
        if (!owner.isClosed()) {
            return false;
        }
        OwnerConnection current = link;
        if (current != null && current.here() == owner) {
            broken(current);
        }
        return true;
    }

    private synchronized void become(State next) {
        if (!state.mayBecome(next)) {
            throw new IllegalStateException("a session that is " + state + " cannot become " + next);
        }
        state = next;
        notifyAll();
    }

    /** Waits for a link while the lease lasts. */
    OwnerConnection awaitLink() throws FsException {
        try {
            synchronized (this) {
                while (state == State.DETACHED) {
                    wait();
                }
                OwnerConnection current = link;
                if (state == State.ATTACHED && current != null) {
                    return current;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FsException(Errno.EINTR, "interrupted");
        }
        throw new UnavailableException("there is no session with the volume's owner");
    }

    /** A call that has its number and no answer yet. {@code generation} counts this node's sessions with the volume. */
    record PendingCall(SessionId session, long generation, long number) {}

    /** Gives a call its number; {@link #endCall} when it is over, however that was. */
    synchronized PendingCall beginCall() {
        PendingCall call = new PendingCall(session, sessions, ++lastCall);
        unanswered.add(call.number);
        return call;
    }

    synchronized void endCall(PendingCall call) {
        unanswered.remove(call.number);
    }

    synchronized RequestTag tag(PendingCall call) {
        return new RequestTag(call.session, call.number, unanswered.first());
    }

    private ByteBuffer call(ByteBuffer request) throws IOException {
        if (REPEATED.isBound()) {
            return call(REPEATED.get(), request);
        }
        PendingCall call = beginCall();
        try {
            return call(call, request);
        } finally {
            endCall(call);
        }
    }

    private ByteBuffer call(PendingCall call, ByteBuffer request) throws IOException {
        @Nullable OwnerConnection asBegun = REPEATED.isBound() ? null : link;
        try {
            while (true) {
                OwnerConnection current = awaitLink();
                if (current != asBegun && !isStillTrue()) {
                    throw new IOException("what it was to be told is not true any more");
                }
                long answeredBelow;
                synchronized (this) {
                    if (call.generation != sessions) {
                        throw new IOException("the session ended while the call was under way");
                    }
                    answeredBelow = unanswered.first();
                }
                ByteBuffer answer = current.call(call.number, answeredBelow, request, CALL_TIMEOUT_MS);
                if (answer != null) {
                    return answer;
                }
                broken(current);
            }
        } catch (FsException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private static boolean isStillTrue() {
        return !VolumeService.IF_STILL_TRUE.isBound()
                || VolumeService.IF_STILL_TRUE.get().getAsBoolean();
    }

    /** The link does not work any more; the keeper makes another. */
    void broken(OwnerConnection which) {
        synchronized (this) {
            if (link != which) {
                return;
            }
            link = null;
            if (state == State.ATTACHED) {
                become(State.DETACHED);
            }
            Lease current = lease;
            if (which.here() != null && current != null && callbacks.hasRivals()) {
                current.endBy(System.nanoTime()
                        + TimeUnit.MILLISECONDS.toNanos(which.terms().deposedMs()));
            }
            notifyAll();
        }
        which.close();
    }

    /** The owner in this process may have been replaced from that time on. */
    synchronized void endSoonAfter(long ns, OwnerConnection here) {
        Lease current = lease;
        if (current != null && callbacks.hasRivals()) {
            current.endBy(ns + TimeUnit.MILLISECONDS.toNanos(here.terms().deposedMs()));
            notifyAll();
        }
    }

    /** ZooKeeper does not say any more that the owner in this process is the owner. */
    public void ownerDoubted() {
        OwnerConnection current = link;
        if (current != null && current.here() != null) {
            endSoonAfter(System.nanoTime(), current);
        }
    }

    private void watch() {
        while (true) {
            try {
                lose(awaitExpired(), "its lease ended");
            } catch (InterruptedException e) {
                return; // closed
            } catch (RuntimeException e) {
                LOG.error("volume {}: the end of the session failed", volume, e);
            }
        }
    }

    private synchronized Lease awaitExpired() throws InterruptedException {
        while (true) {
            Lease current = lease;
            long leftNs = current == null ? 0 : current.remainingNs(System.nanoTime());
            if (current == null) {
                wait();
            } else if (leftNs > 0) {
                TimeUnit.NANOSECONDS.timedWait(this, leftNs);
            } else {
                return current;
            }
        }
    }

    // ---- what the keeper notes

    /** Where the session stood at one moment. {@code generation} counts this node's sessions with the volume. */
    record Standing(@Nullable Lease lease, long generation) {}

    /** Returns once nothing of an earlier session is being dropped. Without a lease a new session is to begin. */
    synchronized Standing awaitSettled() throws InterruptedException {
        while (losing) {
            wait();
        }
        return new Standing(lease, sessions);
    }

    /** A new session is about to begin. The keeper's. */
    void beginAs(SessionId id) {
        session = id;
    }

    /** Whether what the session covered is dropped, or is being dropped. */
    synchronized boolean isOver(Standing standing) {
        return sessions != standing.generation;
    }

    /**
     * The owner has taken the session up, over this link.
     *
     * @param since the standing when that began
     * @param sentAtNs when the owner was asked: from then the lease counts
     * @return false if it is too late: the session is over, or will be
     */
    synchronized boolean attached(OwnerConnection made, SessionTerms terms, Standing since, long sentAtNs) {
        if (isOver(since) || state == State.CLOSED) {
            return false;
        }
        long now = System.nanoTime();
        Lease current = since.lease;
        if (current == null) {
            current = new Lease(terms.termMs(), terms.marginMs(), sentAtNs);
            lease = current;
            notifyAll();
        } else {
            current.renewed(sentAtNs, now);
        }
        if (!current.isValid(now)) {
            return false; // the watcher gives it up
        }
        known.clear(); // before anything is learned over the new link
        link = made;
        become(State.ATTACHED);
        return true;
    }

    synchronized @Nullable Lease lease() {
        return lease;
    }

    /** Waits until it is time to renew the session. False if the link is none any more. */
    @SuppressWarnings("WaitNotInLoop") // to renew it too early does no harm
    boolean awaitRenewal(OwnerConnection current) throws InterruptedException {
        synchronized (this) {
            if (link == current) {
                wait(current.renewEveryMs());
            }
        }
        return link == current;
    }

    /** The number of a call that says what locks are held. */
    synchronized long restoreNumber() {
        return ++lastCall;
    }

    synchronized long oldestUnanswered() {
        return unanswered.isEmpty() ? lastCall : Math.min(lastCall, unanswered.first());
    }

    /**
     * The session of that lease is over, if it was not yet. Everything it covered is dropped before this returns, or before the next one begins if that is
     * done already elsewhere.
     */
    void lose(@Nullable Lease which, String why) {
        SessionId old;
        OwnerConnection way;
        synchronized (this) {
            if (which == null || lease != which || state == State.CLOSED) {
                return;
            }
            old = session;
            way = link;
            lease = null;
            losing = true;
            sessions++;
            link = null;
            if (state != State.NONE) {
                state = State.NONE; // from ATTACHED or DETACHED
                notifyAll();
            }
        }
        LOG.warn("volume {}: session {} is over: {}", volume, old, why);
        try {
            if (way != null) {
                way.close();
            }
            tokens.endSession();
            remote.forgetStock();
            locks.forget(old);
            callbacks.sessionLost();
        } finally {
            synchronized (this) {
                losing = false;
                notifyAll();
            }
        }
    }

    private synchronized void awaitReached(long patienceMs) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(patienceMs);
        try {
            for (long leftMs = patienceMs; state == State.DETACHED && leftMs > 0; ) {
                wait(leftMs);
                leftMs = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // not told, then
        }
    }

    /** Ends the session in good order: everything is saved, and nothing will be used any more. */
    @Override
    public void close() {
        close(GOODBYE_PATIENCE_MS);
    }

    /** @param patienceMs how long to look for an owner that is not reached just now: one that is not told keeps the session for a lease's length */
    void close(long patienceMs) {
        OwnerConnection current;
        synchronized (this) {
            awaitReached(patienceMs);
            if (state == State.CLOSED) {
                return;
            }
            current = link;
        }
        if (current != null) {
            remote.giveStockBack();
        }
        synchronized (this) {
            state = State.CLOSED;
            link = null;
            notifyAll();
        }
        keeper.stop();
        watcher.interrupt();
        locks.close();
        if (current != null) {
            current.end();
            current.close();
        }
    }
}
