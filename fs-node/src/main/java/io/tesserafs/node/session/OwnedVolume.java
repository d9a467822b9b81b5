package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LocalLocks;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.RequestTag;
import io.tesserafs.node.namespace.VolumeOwner;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A volume at its owner, as the nodes that use it see it: sessions, tokens, calls.
 *
 * <p>What a session held is given to others only when it has ended by itself, or was evicted ({@link Evictions}). A node that is alone is told before a second
 * one comes in ({@link LoneNode}).
 *
 * <p>Thread-safe; what is noted of sessions is under the monitor of {@link OwnedSessions}.
 */
public final class OwnedVolume implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OwnedVolume.class);

    /** What an attached node gets. */
    public record Attached(long epoch, SessionTerms terms, long sequence) {}

    private final int volume;
    private final long epoch;
    private final VolumeOwner service;
    private final VolumeServer server;
    private final OrphanWatch orphans;
    private final SessionTerms terms;
    private final SessionRecords records;
    private final LocalOwner tokens;
    private final LocalLocks locks = new LocalLocks();
    private final OwnedSessions sessions;
    private final Evictions evictions;
    private final LoneNode lone;
    private volatile @Nullable Tenure tenure;

    /**
     * @param inherited sessions that the last owner had, with their nodes: until each of them is back, or its time is over and it is fenced, nothing is granted
     * @param fallen the node of the last owner if it is not a member of the cluster any more, else 0: its session ended when, or soon after, it was deposed
     * @param onFailure what is noted of tokens is damaged, and nothing more can be granted
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
        this.terms = terms;
        this.records = records;
        this.sessions = new OwnedSessions(terms);
        this.orphans = new OrphanWatch(service, sessions::living, this::tellOrphaned);
        this.tokens = new LocalOwner(epoch, e -> {
            LOG.error("volume {}: the token table failed; its owner stops", volume, e);
            onFailure.run();
        });
        this.evictions = new Evictions(volume, terms, fence, sessions, tokens, this::forget);
        this.lone = new LoneNode(volume, sessions, terms, evictions::evict);
        List<SessionId> dead = inherit(inherited, fallen);
        orphans.start();
        dead.forEach(evictions::evictSoon);
        evictions.start();
    }

    /** Returns the sessions that are over already. */
    private List<SessionId> inherit(Map<SessionId, Integer> inherited, int fallen) {
        long now = System.nanoTime();
        List<SessionId> dead = new ArrayList<>();
        inherited.forEach((id, node) -> {
            long youngerByMs = node == fallen ? terms.ownerWaitsMs() - terms.afterOwnerMs() : 0;
            sessions.inherit(id, node, now - TimeUnit.MILLISECONDS.toNanos(youngerByMs));
            if (node == fallen) {
                dead.add(id);
            }
        });
        if (!sessions.isOpen()) {
            LOG.info("volume {}: waiting for the sessions {} of the last owner", volume, inherited.keySet());
            tokens.beginGrace();
        }
        return dead;
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

    public LocalLocks locks() {
        return locks;
    }

    public SessionTerms terms() {
        return terms;
    }

    public List<SessionView> sessions() {
        return sessions.views();
    }

    // ---- sessions come and go

    /**
     * Begins a session, or takes it up again after its connection was lost. May block: until another node knows that it is not alone any more.
     *
     * @return null if the session is over, and the node has to begin a new one; or if the node has opened it anew meanwhile
     * @throws IOException this owner cannot say, because it is closed, or the session cannot be written down
     */
    public @Nullable Attached attach(SessionId id, boolean local, SessionCodec.Opening opening, NodeEnd end)
            throws IOException {
        switch (sessions.admit(id, local, opening, evictions::finishSoon)) {
            case REFUSED -> {
                return null;
            }
            case NEW -> records.add(id, opening.node());
            case KNOWN -> {} // and written down
        }
        // One at a time, so that of two that follow each other the tokens hear in that order.
        CompletableFuture<Long> sequence = lone.letIn(
                id,
                opening.node(),
                () -> sessions.open(id, local, opening, end) ? tokens.attach(id, opening.holds(), end.tokens()) : null);
        if (sequence == null) {
            return null;
        }
        long newest = sequence.join();
        orphans.attached(id);
        return new Attached(epoch, terms, newest);
    }

    /** After {@link #attach}: the node has taken note and can be told things. May block. */
    public void settled() {
        lone.tell();
    }

    /** The session has said which locks it holds, after {@link #attach} and what tokens it holds. Only then may anything of an earlier owner be granted. */
    public void restored(SessionId id) {
        isBack(id);
    }

    /** It has said what it holds, or will never. */
    private void isBack(SessionId id) {
        if (!sessions.isBack(id)) {
            return;
        }
        LOG.info("volume {}: the grace period is over", volume);
        tokens.endGrace();
        sessions.opened();
    }

    /** A sign of life. False if the session is over; null if this owner cannot say, because it may have been replaced. May block. */
    public @Nullable Boolean renew(SessionId id) {
        Tenure doubtful = tenure;
        if (doubtful != null && !doubtful.isProved()) {
            return null;
        }
        return sessions.renew(id);
    }

    /** From now on sessions are renewed only with that proof. */
    public void doubted(Tenure proof) {
        tenure = proof;
    }

    /** Whether it may be replaced sooner than ZooKeeper's timeout would have it. */
    boolean isDoubted() {
        return tenure != null;
    }

    /** The node is done: it holds nothing and writes nothing any more. */
    public void end(SessionId id) {
        if (sessions.evict(id) != null) {
            forget(id);
        }
    }

    /** Ends a session that does not end by itself. Returns when what it held is free; false if there is none of that id. */
    public boolean evict(SessionId id) {
        return evictions.evict(id);
    }

    private void forget(SessionId id) {
        service.refuse(id); // before others are given what entitled it to changes
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
        sessions.forget(id);
        orphans.sessionEnded(id);
        lone.tell();
    }

    // ---- what nodes ask and say

    /**
     * Carries out a call of a session, once: one that was lost on the way back is answered again.
     *
     * @param number of the call in the session
     * @param answeredBelow all calls with lower numbers have their answers
     * @return null if the session is over, or this owner: then the next one knows whether the call took effect
     */
    public @Nullable ByteBuffer call(SessionId id, long number, long answeredBelow, ByteBuffer request) {
        OwnedSessions.Live live = sessions.alive(id);
        if (live == null) {
            return null;
        }
        RequestTag tag = new RequestTag(id, number, answeredBelow);
        ByteBuffer answer = live.calls().once(number, answeredBelow, () -> server.serveOnce(request, tag, callsOf(id)));
        live.end().sendTokens();
        return service.isRunning() ? answer : null;
    }

    private SessionCalls callsOf(SessionId id) {
        return sessions.callsOf(id, session -> new SessionCalls(this, session));
    }

    /** See {@link VolumeServer#attributesFor}. */
    @Nullable
    ByteBuffer attributesFor(TokenMessage.Grant grant) {
        return server.attributesFor(grant);
    }

    public void token(SessionId id, TokenMessage.ToOwner message) {
        if (sessions.isActive(id)) {
            tokens.receive(id, message);
        }
    }

    void lockEnded(SessionId id, long request, LockResult result) {
        NodeEnd end = sessions.end(id);
        if (end != null) {
            end.lockEnded(request, result);
        }
    }

    private void tellOrphaned(SessionId id, long ino) {
        NodeEnd end = sessions.end(id);
        if (end != null) {
            end.orphaned(ino);
        }
    }

    /** A session refers to an inode without names no more. */
    public void unreferenced(SessionId from, long ino) {
        orphans.unreferenced(ino, from);
    }

    /** Returns when the grace period is over: until then a lock may be somebody's who has not said so yet. Also if the owner is closed. */
    void awaitOpen() throws InterruptedException {
        sessions.awaitOpen();
    }

    /** False during the grace period. */
    public boolean isOpen() {
        return sessions.isOpen();
    }

    public boolean isClosed() {
        return sessions.isClosed();
    }

    /** No call is answered any more. The service is closed by whoever opened it. */
    @Override
    public void close() {
        sessions.close();
        evictions.close();
    }
}
