package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.coherence.session.Lease;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.RequestTag;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's session with the owner of one volume, wherever that is. A thread of its own keeps it: it finds the owner, attaches, renews the lease,
 * and when the connection or the owner is lost, finds it again. While the lease lasts, what the node holds stays good and calls wait; when
 * it ends, by this node's clock, everything cached is dropped and calls fail, until a new session begins.
 */
public final class NodeSession implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NodeSession.class);
    private static final long RETRY_MS = 50;
    /** A call that takes longer is tried again, under the same number. */
    private static final long CALL_TIMEOUT_MS = 30_000;

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

    /** What the session's state means for the mount. Called on the session's thread, or an owner's. */
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
    private final int node;
    private final OwnerFinder finder;
    private final NodeEndpoint endpoint;
    private final TokenCache tokens;
    private final Node callbacks;
    private final SecureRandom random = new SecureRandom();
    private final SessionCounters counters = new SessionCounters();
    private final KnownMetadata known;
    private final RemoteVolume remote;
    private final SessionLocks locks;
    private final Thread keeper;
    /** Ends the session when its lease ends, whatever the keeper is waiting for just then. */
    private final Thread watcher;

    /** Guarded by this, as is the rest that is not volatile. */
    private State state = State.NONE;

    private final TreeSet<Long> unanswered = new TreeSet<>();
    private long lastCall;
    private long sessions;
    private volatile @Nullable OwnerConnection link;
    private volatile SessionId session = new SessionId(1);
    private @Nullable Lease lease;
    /** Of the owner that the session was with last. */
    private long lastEpoch;
    /** Whether that was in this process. The keeper's. */
    private boolean lastOwnerHere;

    /** What the last session covered is being dropped. */
    private boolean losing;
    /** OPENs of this session. The keeper's. */
    private long openings;

    public NodeSession(
            int volume, int node, OwnerFinder finder, NodeEndpoint endpoint, TokenCache tokens, Node callbacks) {
        this.volume = volume;
        this.node = node;
        this.finder = finder;
        this.endpoint = endpoint;
        this.tokens = tokens;
        this.callbacks = callbacks;
        this.known = new KnownMetadata(tokens::isHeldSince);
        OwnerCalls calls = new OwnerCalls(this::call, counters);
        this.remote = new RemoteVolume(calls, known);
        this.locks = new SessionLocks(this, calls);
        this.keeper =
                Thread.ofPlatform().daemon().name("tessera-session-" + volume).unstarted(this::keep);
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
        try {
            while (true) {
                OwnerConnection current = awaitLink();
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

    /** The link does not work any more; the keeper makes another. */
    private void broken(OwnerConnection which) {
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
    private synchronized void endSoonAfter(long ns, OwnerConnection here) {
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

    private void keep() {
        long pauseMs = 0;
        while (state() != State.CLOSED) {
            try {
                sleep(pauseMs);
                pauseMs = RETRY_MS;
                OwnerConnection made = attach();
                if (made != null) {
                    pauseMs = 0;
                    renewUntilBroken(made);
                }
            } catch (InterruptedException e) {
                return; // closed
            } catch (IOException e) {
                LOG.debug("volume {}: {}", volume, e.getMessage());
                renewWhileVacant();
            } catch (RuntimeException e) {
                LOG.error("volume {}: the session failed, trying again", volume, e);
            }
        }
    }

    /** A new owner may take longer to read the log than a lease lives. */
    private void renewWhileVacant() {
        Lease known;
        long epoch;
        synchronized (this) {
            known = lease;
            epoch = lastEpoch;
        }
        if (known == null || lastOwnerHere) {
            return; // for the node of the last owner the next one waits less
        }
        long askedAtNs = System.nanoTime();
        try {
            if (finder.isVacant(volume, epoch) && known.renewed(askedAtNs, System.nanoTime())) {
                LOG.debug("volume {}: the next owner has not begun yet", volume);
            }
        } catch (IOException e) {
            LOG.debug("volume {}: not known whether it has an owner: {}", volume, e.getMessage());
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

    private static void sleep(long ms) throws InterruptedException {
        if (ms > 0) {
            Thread.sleep(ms);
        }
    }

    private @Nullable OwnerConnection attach() throws IOException, InterruptedException {
        Lease before;
        long mine;
        synchronized (this) {
            while (losing) {
                wait();
            }
            before = lease;
            mine = sessions;
        }
        boolean fresh = before == null;
        if (fresh) {
            session = new SessionId(random.nextLong() | 1);
            openings = 0;
        }
        OwnerFinder.Whereabouts owner = finder.find(volume);
        long sentAtNs = System.nanoTime();
        callbacks.alone(false);
        if (fresh) {
            callbacks.sessionBegins(session);
            tokens.beginSession();
        }
        List<TokenMessage.Held> holds = tokens.detach();
        if (isOver(mine)) {
            return null; // the owner must not hear that less is held while the rest is still being dropped
        }
        OwnerConnection made = OwnerConnection.to(owner, volume, node, session, endpoint, callbacks, locks, known);
        boolean done = false;
        try {
            OwnedVolume.Attached attached = made.attach(tokens, ++openings, holds);
            if (attached == null) {
                lose(before, "the owner knows it no more");
                return null;
            }
            if (!locks.restore(made, restoreNumber(), oldestUnanswered())) {
                return null;
            }
            SessionTerms terms = attached.terms();
            synchronized (this) {
                if (isOver(mine) || state == State.CLOSED) {
                    return null;
                }
                long now = System.nanoTime();
                if (before == null) {
                    before = new Lease(terms.termMs(), terms.marginMs(), sentAtNs);
                    lease = before;
                    notifyAll();
                } else {
                    before.renewed(sentAtNs, now);
                }
                if (!before.isValid(now)) {
                    return null; // too late: the watcher gives it up
                }
                known.clear(); // before anything is learned over the new link
                link = made;
                lastEpoch = attached.epoch();
                lastOwnerHere = made.here() != null;
                become(State.ATTACHED);
            }
            done = true;
            locks.askAgain();
            remote.forgetStock(); // the owner may be another one, which does not know of it
            LOG.info("volume {}: session {} with {}", volume, session, made);
            return made;
        } finally {
            if (!done) {
                made.close();
            }
        }
    }

    private synchronized long restoreNumber() {
        return ++lastCall;
    }

    private synchronized long oldestUnanswered() {
        return unanswered.isEmpty() ? lastCall : Math.min(lastCall, unanswered.first());
    }

    private void renewUntilBroken(OwnerConnection current) throws InterruptedException {
        current.settled();
        while (link == current) {
            synchronized (this) {
                if (link == current) {
                    wait(current.renewEveryMs());
                }
            }
            if (link != current) {
                return;
            }
            Lease known;
            synchronized (this) {
                known = lease;
            }
            long sentAtNs = System.nanoTime();
            Boolean renewed = current.renew();
            if (renewed == null) {
                broken(current);
            } else if (!renewed) {
                broken(current);
                lose(known, "the owner knows it no more");
            } else if (known != null && !known.renewed(sentAtNs, System.nanoTime())) {
                broken(current);
                lose(known, "its lease ended");
            } else {
                OwnedVolume here = current.here();
                if (here != null && here.isDoubted()) {
                    endSoonAfter(sentAtNs, current);
                }
            }
        }
    }

    private synchronized boolean isOver(long which) {
        return sessions != which;
    }

    /**
     * The session of that lease is over, if it was not yet. Everything it covered is dropped before this returns, or before the next one begins if that is
     * done already elsewhere.
     */
    private void lose(@Nullable Lease which, String why) {
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

    /** Ends the session in good order: everything is saved, and nothing will be used any more. */
    @Override
    public void close() {
        OwnerConnection current;
        synchronized (this) {
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
        keeper.interrupt();
        watcher.interrupt();
        locks.close();
        if (current != null) {
            current.end();
            current.close();
        }
    }
}
