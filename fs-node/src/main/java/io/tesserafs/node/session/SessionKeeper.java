package io.tesserafs.node.session;

import io.tesserafs.coherence.session.Lease;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a node's session with the owner of a volume, on a thread of its own: finds the owner, attaches, renews the lease, and when the link is lost, finds the
 * owner again. What comes of it is noted at the {@link NodeSession}, which knows whether it still counts: the lease may end at any moment, whatever the keeper
 * waits for just then.
 */
final class SessionKeeper {
    private static final Logger LOG = LoggerFactory.getLogger(SessionKeeper.class);
    private static final long RETRY_MS = 50;
    private static final long LOOK_MS = 100;

    private final NodeSession session;
    private final int volume;
    private final int node;
    private final OwnerFinder finder;
    private final NodeEndpoint endpoint;
    private final TokenCache tokens;
    private final NodeSession.Node callbacks;
    private final SessionLocks locks;
    private final KnownMetadata known;
    private final RemoteVolume remote;
    private final SecureRandom random = new SecureRandom();
    private final Thread thread;

    /** Whether a thread renews the lease while the volume is vacant. */
    private final AtomicBoolean renewing = new AtomicBoolean();

    private volatile Last last = new Last(0, false);
    /** OPENs of this session. Of the thread. */
    private long openings;

    /**
     * The owner that the session was with last.
     *
     * @param here whether it was in this process
     */
    private record Last(long epoch, boolean here) {}

    SessionKeeper(
            NodeSession session,
            int volume,
            int node,
            OwnerFinder finder,
            NodeEndpoint endpoint,
            TokenCache tokens,
            NodeSession.Node callbacks,
            SessionLocks locks,
            KnownMetadata known,
            RemoteVolume remote) {
        this.session = session;
        this.volume = volume;
        this.node = node;
        this.finder = finder;
        this.endpoint = endpoint;
        this.tokens = tokens;
        this.callbacks = callbacks;
        this.locks = locks;
        this.known = known;
        this.remote = remote;
        this.thread =
                Thread.ofPlatform().daemon().name("tessera-session-" + volume).unstarted(this::keep);
    }

    void start() {
        thread.start();
    }

    /** After the session is CLOSED. */
    void stop() {
        thread.interrupt();
    }

    private void keep() {
        long pauseMs = 0;
        while (session.state() != NodeSession.State.CLOSED) {
            try {
                sleep(pauseMs);
                pauseMs = RETRY_MS;
                OwnerConnection made = attach();
                if (made != null) {
                    pauseMs = 0;
                    renewUntilBroken(made);
                    renewWhileVacant();
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

    private static void sleep(long ms) throws InterruptedException {
        if (ms > 0) {
            Thread.sleep(ms);
        }
    }

    /**
     * A new owner may take longer to read the log than a lease lives. On a thread of its own: what looks for the owner meanwhile may wait for one that hangs.
     */
    private void renewWhileVacant() {
        // For the node of the last owner the next one waits less.
        if (session.state() != NodeSession.State.DETACHED || last.here || !renewing.compareAndSet(false, true)) {
            return;
        }
        Thread.ofVirtual().name("tessera-vacant-" + volume).start(() -> {
            try {
                while (session.state() == NodeSession.State.DETACHED) {
                    renewIfVacant();
                    sleep(LOOK_MS);
                }
            } catch (InterruptedException e) {
                LOG.debug("volume {}: not renewed any more", volume, e);
            } finally {
                renewing.set(false);
            }
        });
    }

    private void renewIfVacant() {
        Lease lease = session.lease();
        long askedAtNs = System.nanoTime();
        try {
            if (lease != null && finder.isVacant(volume, last.epoch) && lease.renewed(askedAtNs, System.nanoTime())) {
                LOG.debug("volume {}: the next owner has not begun yet", volume);
            }
        } catch (IOException e) {
            LOG.debug("volume {}: not known whether it has an owner: {}", volume, e.getMessage());
        }
    }

    /** Null if it came to nothing, and is to be tried again. */
    private @Nullable OwnerConnection attach() throws IOException, InterruptedException {
        NodeSession.Standing since = session.awaitSettled();
        boolean fresh = since.lease() == null;
        if (fresh) {
            session.beginAs(new SessionId(random.nextLong() | 1));
            openings = 0;
        }
        SessionId id = session.id();
        OwnerFinder.Whereabouts owner = finder.find(volume);
        long sentAtNs = System.nanoTime();
        callbacks.alone(false);
        List<TokenMessage.Held> holds =
                tokens.detach(); // first: nothing that is still said to the last session is for the next
        if (fresh) {
            callbacks.sessionBegins(id);
            tokens.beginSession();
        }
        if (session.isOver(since)) {
            return null; // the owner must not hear that less is held while the rest is still being dropped
        }
        OwnerConnection made = OwnerConnection.to(owner, volume, node, id, endpoint, callbacks, locks, known);
        boolean done = false;
        try {
            OwnedVolume.Attached attached = made.attach(tokens, ++openings, holds);
            if (attached == null) {
                session.lose(since.lease(), "the owner knows it no more");
                return null;
            }
            if (!locks.restore(made, session.restoreNumber(), session.oldestUnanswered())) {
                return null;
            }
            if (attached.epoch() != last.epoch) {
                remote.forgetStock(); // another owner does not know of it; before anything is asked of that one
            }
            if (!session.attached(made, attached.terms(), since, sentAtNs)) {
                return null;
            }
            last = new Last(attached.epoch(), made.here() != null);
            done = true;
            locks.askAgain();
            LOG.info("volume {}: session {} with {}", volume, id, made);
            return made;
        } finally {
            if (!done) {
                made.close();
            }
        }
    }

    private void renewUntilBroken(OwnerConnection current) throws InterruptedException {
        current.settled();
        while (session.awaitRenewal(current)) {
            Lease lease = session.lease();
            long sentAtNs = System.nanoTime();
            Boolean renewed = current.renew();
            if (renewed == null) {
                session.broken(current);
            } else if (!renewed) {
                session.broken(current);
                session.lose(lease, "the owner knows it no more");
            } else if (lease != null && !lease.renewed(sentAtNs, System.nanoTime())) {
                session.broken(current);
                session.lose(lease, "its lease ended");
            } else {
                OwnedVolume here = current.here();
                if (here != null && here.isDoubted()) {
                    session.endSoonAfter(sentAtNs, current);
                }
            }
        }
    }
}
