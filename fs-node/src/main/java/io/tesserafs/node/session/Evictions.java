package io.tesserafs.node.session;

import io.tesserafs.coherence.session.SessionTable.Session;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.TokenTable;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.VolumeOwner;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends sessions that do not end by themselves: those that are silent, those that hold back what others wait for, those that somebody wants gone.
 *
 * <p>A session is first fenced on every brick, so that nothing it still does can land; then its node's lease is waited for, even by a slow clock, because
 * the fence keeps a node from writing, but not from serving what it has cached. Only then is what it held given to others, and from that moment on its
 * calls change nothing, also those that were under way ({@link VolumeOwner#refuse}).
 *
 * <p>Thread-safe. Waits on threads of its own, or the caller's, under no lock.
 */
final class Evictions implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Evictions.class);
    private static final int EXPIRY_CHECKS_PER_TERM = 10;
    /** A recall of which nothing came back in this time becomes a revoke. Long: a holder may have much to write back over a slow link. */
    private static final Duration RECALL_LIMIT = Duration.ofSeconds(60);

    private final int volume;
    private final SessionTerms terms;
    private final Fence fence;
    private final OwnedSessions sessions;
    private final LocalOwner tokens;
    private final Consumer<SessionId> forget;
    private final ScheduledExecutorService timer;
    /** Of the timer's thread. */
    private final RecallWatch recalls = new RecallWatch(RECALL_LIMIT.toNanos());

    private final ExecutorService threads = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("tessera-evict-", 0).factory());

    /** @param forget gives what a session held to others; may block */
    Evictions(
            int volume,
            SessionTerms terms,
            Fence fence,
            OwnedSessions sessions,
            LocalOwner tokens,
            Consumer<SessionId> forget) {
        this.volume = volume;
        this.terms = terms;
        this.fence = fence;
        this.sessions = sessions;
        this.tokens = tokens;
        this.forget = forget;
        this.timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().daemon().name("tessera-sessions-" + volume).factory());
    }

    /** Begins to look for sessions whose time is over. */
    void start() {
        int every = Math.max(1, terms.termMs() / EXPIRY_CHECKS_PER_TERM);
        var _ = timer.scheduleWithFixedDelay(this::tick, every, every, TimeUnit.MILLISECONDS);
    }

    /** Returns when what the session held is free; false if there is none of that id, or it is on its way already. */
    boolean evict(SessionId id) {
        Session session = sessions.evict(id);
        if (session == null) {
            return false;
        }
        finish(session);
        return true;
    }

    void evictSoon(SessionId id) {
        threads.execute(() -> evict(id));
    }

    /** Of one that is EVICTING. */
    void finishSoon(Session session) {
        threads.execute(() -> finish(session));
    }

    private void tick() {
        expire();
        var _ = tokens.query(TokenTable::awaited).thenAcceptAsync(this::revokeOverdue, timer);
    }

    private void expire() {
        for (Session session : sessions.expire()) {
            LOG.warn(
                    "volume {}: node {} was not heard of for {} ms: {} is evicted",
                    volume,
                    session.node(),
                    terms.ownerWaitsMs(),
                    session.id());
            finishSoon(session);
        }
    }

    /** Who renews its lease but does not answer a recall is no better than one that is dead. */
    private void revokeOverdue(Set<TokenTable.Awaited> awaited) {
        for (SessionId holder : recalls.overdue(awaited, System.nanoTime())) {
            LOG.warn(
                    "volume {}: {} has held back for {} what others wait for: it is evicted",
                    volume,
                    holder,
                    RECALL_LIMIT);
            evictSoon(holder);
        }
    }

    private void finish(Session session) {
        try {
            fence.fence(session.id(), session.node());
            awaitDisbelief(session);
            forget.accept(session.id());
            LOG.info("volume {}: {} of node {} is fenced and forgotten", volume, session.id(), session.node());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void awaitDisbelief(Session session) throws InterruptedException {
        while (true) {
            long leftNs = sessions.believedForNs(session);
            if (leftNs == 0) {
                return;
            }
            TimeUnit.NANOSECONDS.sleep(leftNs);
        }
    }

    @Override
    public void close() {
        timer.shutdownNow();
        threads.shutdownNow();
    }
}
