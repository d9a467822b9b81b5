package io.tesserafs.coherence.sim;

import io.tesserafs.coherence.session.SessionTable;
import io.tesserafs.coherence.session.SessionTable.Session;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The owner in one epoch: sessions and tokens, with the rules for leases, eviction, fencing, and the grace period. */
final class Owner extends Machine {
    private static final long PING_US = 50_000;
    private static final int LONGEST_PEEK_US = 20_000;
    private static final long FENCE_AGAIN_US = 100_000;
    /** It gives up by its own clock before the coordinator gives it up. */
    private static final long BELIEVES_US = Coordinator.PATIENCE_US * 3 / 4;

    /** What an OPEN is answered with. */
    enum Status {
        OK,
        ENDED
    }

    final long epoch;
    final SessionTable sessions = new SessionTable(World.TERMS);
    private final LocalOwner tokens;
    private long believesUntilNs;
    private boolean stopped;

    Owner(World world, long epoch, Map<SessionId, Integer> inherited) {
        super(world, "owner" + epoch);
        this.epoch = epoch;
        this.tokens = new LocalOwner(epoch, e -> {
            throw world.violation(this + ": the token table failed: " + e);
        });
        inherited.forEach((session, node) -> sessions.inherit(session, node, nowNs()));
        if (!sessions.isComplete() && world.flaw != Flaw.GRANTS_DURING_GRACE) {
            tokens.beginGrace();
        }
        believesUntilNs = nowNs() + BELIEVES_US * 1000;
    }

    void start() {
        ping();
        expire();
    }

    private void ping() {
        if (stopped) {
            return;
        }
        long sentAtNs = nowNs();
        world.message(
                this,
                world.coordinator,
                () -> world.coordinator.ping(this, still -> {
                    if (still) {
                        believesUntilNs = Math.max(believesUntilNs, sentAtNs + BELIEVES_US * 1000);
                    } else if (world.flaw != Flaw.DEPOSED_OWNER_GOES_ON) {
                        stopped = true;
                    }
                }));
        after(PING_US, this::ping);
    }

    /** It is, as far as it can know. */
    private boolean isOwner() {
        if (world.flaw == Flaw.DEPOSED_OWNER_GOES_ON) {
            return true;
        }
        if (nowNs() > believesUntilNs) {
            stopped = true;
        }
        return !stopped;
    }

    void open(Node node, Link link, SessionId id, long opening, List<TokenMessage.Held> holds, Node.OpenAnswer answer) {
        if (!isOwner()) {
            return;
        }
        world.trace(this, "OPEN of " + id + " by " + node + ", opening " + opening + ", holds " + holds);
        if (!mayAttach(id, node, opening)) {
            link.toNode(() -> answer.accept(Status.ENDED, 0));
            return;
        }
        sessions.replacedBy(id, node.number, world.flaw == Flaw.TRUSTS_LATE_OPENS)
                .forEach(this::finishEviction);
        world.message(
                this,
                world.coordinator,
                () -> world.coordinator.record(
                        this, id, node.number, () -> opened(node, link, id, opening, holds, answer)));
    }

    private boolean mayAttach(SessionId id, Node node, long opening) {
        boolean may = sessions.mayAttach(id, node.number, opening);
        return may
                || world.flaw == Flaw.REVIVES_EVICTED_SESSIONS && sessions.find(id) == null
                || world.flaw == Flaw.CARRIES_OUT_OLD_OPENS && sessions.renew(id, nowNs());
    }

    /** Recorded. */
    private void opened(
            Node node, Link link, SessionId id, long opening, List<TokenMessage.Held> holds, Node.OpenAnswer answer) {
        if (!isOwner()) {
            return;
        }
        if (!sessions.open(id, node.number, false, opening, nowNs()) && !mayAttach(id, node, opening)) {
            link.toNode(() -> answer.accept(Status.ENDED, 0));
            return;
        }
        world.trace(this, id + " attached, holds " + holds);
        long sequence = tokens.attach(id, holds, message -> link.toNode(() -> node.token(link, message)))
                .join();
        isBack(id);
        link.toNode(() -> answer.accept(Status.OK, sequence));
    }

    private void isBack(SessionId id) {
        if (sessions.isBack(id)) {
            tokens.endGrace();
        }
    }

    /** Null if this is no owner any more. */
    @Nullable
    Boolean renew(SessionId id) {
        return isOwner() ? Boolean.valueOf(sessions.renew(id, nowNs())) : null;
    }

    void token(SessionId id, TokenMessage.ToOwner message) {
        Session session = sessions.find(id);
        if (isOwner() && session != null && session.state() == SessionTable.State.ACTIVE) {
            world.trace(this, id + " " + message);
            tokens.receive(id, message);
        }
    }

    /** Offers the file, and says what is in it. Takes a moment, in which everything may happen. */
    void peek(Link link, SessionId id, int file, Node.PeekAnswer answer) {
        Session session = sessions.find(id);
        if (!isOwner() || session == null || session.state() != SessionTable.State.ACTIVE) {
            return;
        }
        Resource resource = Resource.data(file + 1);
        int betweenUs = world.random.nextInt(world.random.nextInt(3) == 0 ? LONGEST_PEEK_US : 40);
        if (world.flaw == Flaw.READS_BEFORE_IT_OFFERS) {
            long[] content = world.brick.content(file);
            after(betweenUs, () -> {
                long sequence = tokens.offer(id, Mode.SHARED, resource);
                link.toNode(() -> answer.accept(content, sequence));
            });
            return;
        }
        long sequence = tokens.offer(id, Mode.SHARED, resource);
        after(betweenUs, () -> {
            long[] content = world.brick.content(file);
            link.toNode(() -> answer.accept(content, sequence));
        });
    }

    /** Somebody wants it gone. */
    void evict(SessionId id) {
        Session session = isOwner() ? sessions.evict(id) : null;
        if (session != null) {
            finishEviction(session);
        }
    }

    private void expire() {
        if (!isOwner()) {
            return;
        }
        sessions.expire(nowNs()).forEach(this::finishEviction);
        after(World.TERMS.termMs() * 1000L / 10, this::expire);
    }

    private void finishEviction(Session session) {
        if (!isOwner()) {
            return;
        }
        boolean[] fenced = {world.flaw == Flaw.DOES_NOT_FENCE};
        Runnable done = () -> {
            if (!fenced[0]) {
                fenced[0] = true;
                forgetWhenNobodyBelieves(session);
            }
        };
        if (fenced[0]) {
            forgetWhenNobodyBelieves(session);
        } else {
            fence(session, fenced, done);
        }
    }

    private void fence(Session session, boolean[] fenced, Runnable done) {
        if (!fenced[0] && isOwner()) {
            world.message(this, world.brick, () -> world.brick.fence(this, session.id(), done));
            after(FENCE_AGAIN_US, () -> fence(session, fenced, done));
        }
    }

    private void forgetWhenNobodyBelieves(Session session) {
        if (!isOwner()) {
            return;
        }
        long leftNs = sessions.believedForNs(session, nowNs());
        if (leftNs > 0 && world.flaw != Flaw.EVICTS_WITHOUT_WAITING) {
            after(leftNs / 1000 + 1, () -> forgetWhenNobodyBelieves(session));
            return;
        }
        world.trace(this, session.id() + " is evicted");
        tokens.endSession(session.id());
        world.message(this, world.coordinator, () -> world.coordinator.forget(this, session.id()));
        isBack(session.id());
        sessions.evicted(session.id());
    }
}
