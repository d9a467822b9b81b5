package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LocalLocks;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionTable;
import io.tesserafs.coherence.session.SessionTable.Session;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.coherence.token.TokenTable;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.RequestTag;
import io.tesserafs.node.namespace.VolumeOwner;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A volume at its owner, as the nodes that use it see it: sessions, tokens, calls.
 *
 * <p>A session that goes silent is evicted: first fenced on every brick, so that nothing it still does can land, and only then is what it held given to
 * others: once it is fenced, and its node's lease is over even by a slow clock. A node that is alone is told before a second one comes in, and the second waits until the first has taken note.
 *
 * <p>Thread-safe. The lock is held for moments; nothing that waits happens under it.
 */
public final class OwnedVolume implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OwnedVolume.class);
    private static final int EXPIRY_CHECKS_PER_TERM = 10;
    /** A recall of which nothing came back in this time becomes a revoke. Long: a holder may have much to write back over a slow link. */
    private static final Duration RECALL_LIMIT = Duration.ofSeconds(60);

    /** What an attached node gets. */
    public record Attached(long epoch, SessionTerms terms, long sequence) {}

    private final int volume;
    private final long epoch;
    private final VolumeOwner service;
    private final VolumeServer server;
    private final OrphanWatch orphans;
    private final SessionTerms terms;
    private final Fence fence;
    private final SessionRecords records;
    private final LocalOwner tokens;
    private final LocalLocks locks = new LocalLocks();
    private final ScheduledExecutorService timer;
    /** Of the timer's thread. */
    private final RecallWatch recalls = new RecallWatch(RECALL_LIMIT.toNanos());

    private final ExecutorService evictions = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("tessera-evict-", 0).factory());

    /** Held while a node is told whether it is alone, so that it hears it in the right order. Before the monitor. */
    private final ReentrantLock company = new ReentrantLock();

    /** Guarded by this, as is the rest. */
    private final SessionTable sessions;

    private final Map<SessionId, AnsweredCalls> calls = new HashMap<>();
    private final Map<SessionId, SessionCalls> sessionCalls = new HashMap<>();

    private final Map<SessionId, NodeEnd> ends = new HashMap<>();
    /** The session that was told it is alone, if any. */
    private @Nullable SessionId alone;

    private boolean closed;
    private volatile @Nullable Tenure tenure;

    /**
     * @param inherited sessions that the last owner had, with their nodes: until each of them is back, or its time is over and it is fenced, nothing is granted
     * @param fallen the node of the last owner if it is not a member of the cluster any more, else 0: its session ended when, or soon after, it was deposed
     */
    public OwnedVolume(
            int volume,
            long epoch,
            VolumeOwner service,
            SessionTerms terms,
            Fence fence,
            SessionRecords records,
            Map<SessionId, Integer> inherited,
            int fallen,
            Runnable onFailure) {
        this.volume = volume;
        this.epoch = epoch;
        this.service = service;
        this.server = new VolumeServer(service, epoch);
        this.orphans = new OrphanWatch(service, this::living, this::tellOrphaned);
        this.terms = terms;
        this.fence = fence;
        this.records = records;
        this.sessions = new SessionTable(terms);
        this.tokens = new LocalOwner(epoch, e -> {
            LOG.error("volume {}: the token table failed; its owner stops", volume, e);
            onFailure.run();
        });
        this.timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().daemon().name("tessera-sessions-" + volume).factory());
        long now = System.nanoTime();
        List<SessionId> dead = new ArrayList<>();
        inherited.forEach((id, node) -> {
            long youngerByMs = node == fallen ? terms.ownerWaitsMs() - terms.afterOwnerMs() : 0;
            sessions.inherit(id, node, now - TimeUnit.MILLISECONDS.toNanos(youngerByMs));
            if (node == fallen) {
                dead.add(id);
            }
        });
        if (!sessions.isComplete()) {
            LOG.info("volume {}: waiting for the sessions {} of the last owner", volume, inherited.keySet());
            tokens.beginGrace();
        }
        orphans.start();
        dead.forEach(id -> evictions.execute(() -> evict(id)));
        int every = Math.max(1, terms.termMs() / EXPIRY_CHECKS_PER_TERM);
        var _ = timer.scheduleWithFixedDelay(this::tick, every, every, TimeUnit.MILLISECONDS);
    }

    public int volume() {
        return volume;
    }

    public long epoch() {
        return epoch;
    }

    public VolumeOwner service() {
        return service;
    }

    public LocalOwner tokens() {
        return tokens;
    }

    public synchronized List<SessionView> sessions() {
        long now = System.nanoTime();
        List<SessionView> views = new ArrayList<>();
        for (Session session : sessions.all()) {
            views.add(new SessionView(
                    session.id(),
                    session.node(),
                    session.isLocal(),
                    session.state(),
                    sessions.isAwaited(session.id()),
                    now - session.heardAtNs()));
        }
        return views;
    }

    public SessionTerms terms() {
        return terms;
    }

    /**
     * Begins a session, or takes it up again after its connection was lost. May block: until another node knows that it is not alone any more.
     *
     * @return null if the session is over, and the node has to begin a new one; or if the node has opened it anew meanwhile
     */
    public @Nullable Attached attach(SessionId id, boolean local, SessionCodec.Opening opening, NodeEnd end)
            throws InterruptedException, IOException {
        int node = opening.node();
        boolean known;
        synchronized (this) {
            known = sessions.find(id) != null;
            if (closed || !sessions.mayAttach(id, node, opening.number())) {
                return null;
            }
            for (Session replaced : sessions.replacedBy(id, node, local)) {
                evictions.execute(() -> finishEviction(replaced));
            }
        }
        if (!known) { // else it is written down
            records.add(id, node);
        }
        CompletableFuture<Long> sequence;
        company.lock();
        try {
            endBeingAlone(id);
            synchronized (this) {
                if (closed || !sessions.open(id, node, local, opening.number(), System.nanoTime())) {
                    return null;
                }
                ends.put(id, end);
                calls.computeIfAbsent(id, key -> new AnsweredCalls());
            }
            // Under the lock, so that of two that follow each other the tokens hear in that order.
            sequence = tokens.attach(id, opening.holds(), end.tokens());
        } finally {
            company.unlock();
        }
        long newest = sequence.join();
        orphans.attached(id);
        return new Attached(epoch, terms, newest);
    }

    private synchronized Set<SessionId> living() {
        Set<SessionId> living = new HashSet<>();
        sessions.all().forEach(session -> living.add(session.id()));
        return living;
    }

    private void tellOrphaned(SessionId id, long ino) {
        NodeEnd end;
        synchronized (this) {
            end = ends.get(id);
        }
        if (end != null) {
            end.orphaned(ino);
        }
    }

    /** A session refers to an inode without names no more. */
    public void unreferenced(SessionId from, long ino) {
        orphans.unreferenced(ino, from);
    }

    /** The session has said which locks it holds, after {@link #attach} and what tokens it holds. Only then may anything of an earlier owner be granted. */
    public void restored(SessionId id) {
        isBack(id);
    }

    void lockEnded(SessionId id, long request, LockResult result) {
        NodeEnd end;
        synchronized (this) {
            end = ends.get(id);
        }
        if (end != null) {
            end.lockEnded(request, result);
        }
    }

    /** It has said what it holds, or will never. */
    private void isBack(SessionId id) {
        synchronized (this) {
            if (!sessions.isBack(id)) {
                return;
            }
        }
        LOG.info("volume {}: the grace period is over", volume);
        tokens.endGrace();
        synchronized (this) {
            notifyAll();
        }
    }

    /** Tells the node that is alone that it is not any more, unless it is the same. */
    private void endBeingAlone(SessionId newcomer) {
        NodeEnd end;
        SessionId told;
        synchronized (this) {
            told = alone;
            alone = null;
            if (told == null || told.equals(newcomer)) {
                return; // who attaches anew does not rely on it any more
            }
            end = ends.get(told);
        }
        if (end == null) {
            return;
        }
        try {
            end.alone(false);
        } catch (IOException e) {
            LOG.warn("volume {}: {} does not answer; it is evicted: {}", volume, told, e.getMessage());
            evict(told);
        }
    }

    /** If one session is left, its node may cache what it likes. */
    private void perhapsAlone() {
        company.lock();
        try {
            tellIfAlone();
        } finally {
            company.unlock();
        }
    }

    private void tellIfAlone() {
        NodeEnd end;
        synchronized (this) {
            if (closed || sessions.size() != 1 || alone != null || !sessions.isComplete()) {
                return;
            }
            SessionId id = sessions.all().iterator().next().id();
            end = ends.get(id);
            if (end == null) {
                return;
            }
            alone = id;
        }
        try {
            end.alone(true);
        } catch (IOException e) {
            LOG.debug("volume {}: the one node left was not told", volume, e);
        }
    }

    /** After {@link #attach}: the node has taken note and can be told things. */
    public void settled() {
        perhapsAlone();
    }

    /** A sign of life. False if the session is over; null if this owner cannot say, because it may have been replaced. May block. */
    public @Nullable Boolean renew(SessionId id) {
        Tenure doubtful = tenure;
        if (doubtful != null && !doubtful.isProved()) {
            return null;
        }
        synchronized (this) {
            if (closed || sessions.isAwaited(id)) {
                return null; // it was the last owner's, and has to say first what it holds, also if both were in this
                // process
            }
            return isAlive(id);
        }
    }

    private synchronized boolean isAlive(SessionId id) {
        return !closed && sessions.renew(id, System.nanoTime());
    }

    /** From now on sessions are renewed only with that proof. */
    public void doubted(Tenure proof) {
        tenure = proof;
    }

    /** Whether it may be replaced sooner than ZooKeeper's timeout would have it. */
    boolean isDoubted() {
        return tenure != null;
    }

    /**
     * Carries out a call of a session, once: one that was lost on the way back is answered again.
     *
     * @param number of the call in the session
     * @param answeredBelow all calls with lower numbers have their answers
     * @return null if the session is over, or this owner: then the next one knows whether the call took effect
     */
    public @Nullable ByteBuffer call(SessionId id, long number, long answeredBelow, ByteBuffer request) {
        AnsweredCalls known;
        NodeEnd end;
        synchronized (this) {
            known = isAlive(id) ? calls.get(id) : null;
            end = ends.get(id);
        }
        if (known == null) {
            return null;
        }
        RequestTag tag = new RequestTag(id, number, answeredBelow);
        ByteBuffer answer = known.once(number, answeredBelow, () -> server.serveOnce(request, tag, callsOf(id)));
        if (end != null) {
            end.sendTokens();
        }
        return service.isRunning() ? answer : null;
    }

    /** See {@link VolumeServer#attributesFor}. */
    @Nullable
    ByteBuffer attributesFor(TokenMessage.Grant grant) {
        return server.attributesFor(grant);
    }

    private synchronized SessionCalls callsOf(SessionId id) {
        return sessionCalls.computeIfAbsent(id, session -> new SessionCalls(this, session));
    }

    public LocalLocks locks() {
        return locks;
    }

    /** Returns when the grace period is over: until then a lock may be somebody's who has not said so yet. */
    synchronized void awaitOpen() throws InterruptedException {
        while (!sessions.isComplete() && !closed) {
            wait();
        }
    }

    public void token(SessionId id, TokenMessage.ToOwner message) {
        synchronized (this) {
            Session session = sessions.find(id);
            if (closed || session == null || session.state() != SessionTable.State.ACTIVE) {
                return;
            }
        }
        tokens.receive(id, message);
    }

    /** The node is done: it holds nothing and writes nothing any more. */
    public void end(SessionId id) {
        synchronized (this) {
            if (sessions.evict(id) == null) {
                return;
            }
        }
        forget(id);
    }

    /** Ends a session that does not end by itself. Returns when what it held is free; false if there is none of that id. */
    public boolean evict(SessionId id) {
        Session session;
        synchronized (this) {
            session = sessions.evict(id);
        }
        if (session == null) {
            return false;
        }
        finishEviction(session);
        return true;
    }

    private void tick() {
        expire();
        var _ = tokens.query(TokenTable::awaited).thenAcceptAsync(this::revokeOverdue, timer);
    }

    /** Who renews its lease but does not answer a recall is no better than one that is dead. */
    private void revokeOverdue(Set<TokenTable.Awaited> awaited) {
        for (SessionId holder : recalls.overdue(awaited, System.nanoTime())) {
            LOG.warn(
                    "volume {}: {} has held back for {} what others wait for: it is evicted",
                    volume,
                    holder,
                    RECALL_LIMIT);
            evictions.execute(() -> evict(holder));
        }
    }

    private void expire() {
        List<Session> expired;
        synchronized (this) {
            expired = sessions.expire(System.nanoTime());
        }
        for (Session session : expired) {
            LOG.warn(
                    "volume {}: node {} was not heard of for {} ms: {} is evicted",
                    volume,
                    session.node(),
                    terms.ownerWaitsMs(),
                    session.id());
            evictions.execute(() -> finishEviction(session));
        }
    }

    private void finishEviction(Session session) {
        try {
            fence.fence(session.id(), session.node());
            awaitDisbelief(session);
            forget(session.id());
            LOG.info("volume {}: {} of node {} is fenced and forgotten", volume, session.id(), session.node());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The fence keeps the node from writing, but not from serving what it has cached: only the end of its lease does. */
    private void awaitDisbelief(Session session) throws InterruptedException {
        while (true) {
            long leftNs;
            synchronized (this) {
                leftNs = sessions.believedForNs(session, System.nanoTime());
            }
            if (leftNs == 0) {
                return;
            }
            TimeUnit.NANOSECONDS.sleep(leftNs);
        }
    }

    private void forget(SessionId id) {
        tokens.endSession(id);
        locks.endSession(id).join();
        try {
            records.remove(id);
        } catch (IOException e) {
            LOG.warn(
                    "volume {}: the record of {} stays, and a next owner will wait for it: {}",
                    volume,
                    id,
                    e.getMessage());
        }
        isBack(id);
        service.endSession(id);
        synchronized (this) {
            sessions.evicted(id);
            ends.remove(id);
            calls.remove(id);
            sessionCalls.remove(id);
            if (id.equals(alone)) {
                alone = null;
            }
        }
        orphans.sessionEnded(id);
        perhapsAlone();
    }

    /** False during the grace period. */
    public synchronized boolean isOpen() {
        return sessions.isComplete();
    }

    public synchronized boolean isClosed() {
        return closed;
    }

    /** No call is answered any more. The service is closed by whoever opened it. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        timer.shutdownNow();
        evictions.shutdownNow();
    }
}
