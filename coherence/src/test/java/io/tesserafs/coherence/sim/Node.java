package io.tesserafs.coherence.sim;

import io.tesserafs.coherence.session.Lease;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A node: keeps a session with whoever is the owner. What it does under the session is {@link NodeFiles}' part. */
final class Node extends Machine {
    private static final long RETRY_US = 5_000;
    private static final long OPEN_TIMEOUT_US = 150_000;
    private static final long RENEW_US = World.TERMS.renewEveryMs() * 1000L;

    /** Takes what an owner says to an OPEN. */
    @FunctionalInterface
    interface OpenAnswer {
        void accept(Owner.Status status, long sequence);
    }

    /** Takes what an owner says that a file has in it, and the sequence of what it gave along, 0 for none. */
    @FunctionalInterface
    interface PeekAnswer {
        void accept(long[] content, long sequence);
    }

    private record Outgoing(TokenMessage.ToOwner message, long generation) {}

    final int number;
    NodeFiles files;
    SessionId session = new SessionId(1);
    private @Nullable Lease lease;
    private boolean attached;
    private @Nullable Link link;
    private @Nullable Owner owner;
    /** OPENs of this session. */
    private long openings;

    /** Tries to attach. */
    private long tries;

    private long generation;
    private long seenAtLeast;
    private Deque<Outgoing> outbox = new ArrayDeque<>();
    /** Messages that were faster than the answer to the OPEN. */
    private List<TokenMessage.ToNode> early = new ArrayList<>();

    Node(World world, int number) {
        super(world, "node" + number);
        this.number = number;
        this.files = new NodeFiles(this);
    }

    void start() {
        keep();
        files.start();
    }

    /** Everything is gone, but for writes that are on their way. */
    void crash(long restartInUs) {
        world.trace(this, "crashes");
        crashed = true;
        breakLink();
        life++;
        lease = null;
        attached = false;
        outbox = new ArrayDeque<>();
        files = new NodeFiles(this);
        world.schedule(world.nowUs() + restartInUs, world.coordinator, () -> {
            crashed = false;
            start();
        });
    }

    /** By its own clock. */
    boolean believes() {
        Lease current = lease;
        return current != null && current.isValid(nowNs());
    }

    boolean isAttached() {
        return attached;
    }

    long seenAtLeast() {
        return seenAtLeast;
    }

    private void breakLink() {
        Link broken = link;
        link = null;
        attached = false;
        if (broken != null) {
            broken.breakOff();
        }
    }

    /** The connection broke; what is under way on it is lost. */
    void loseConnection() {
        if (link != null && !crashed) {
            world.trace(this, "loses its connection");
            breakLink();
            soon(this::keep);
        }
    }

    private void keep() {
        if (attached) {
            return;
        }
        long mine = ++tries;
        breakLink();
        boolean fresh = lease == null;
        if (!fresh || files.isClean()) {
            world.message(
                    this,
                    world.coordinator,
                    () -> world.coordinator.find(this, found -> {
                        if (mine == tries && found != null) {
                            attach(found, mine);
                        }
                    }));
            after(OPEN_TIMEOUT_US, () -> again(mine));
        } else {
            after(RETRY_US, () -> again(mine));
        }
    }

    private void again(long mine) {
        if (mine == tries && !attached) {
            keep();
        }
    }

    private void attach(Owner found, long mine) {
        boolean fresh = lease == null;
        if (fresh && !files.isClean()) {
            return;
        }
        if (fresh) {
            session = world.newSession();
            openings = 0;
            files.revive();
        }
        long opening = ++openings;
        owner = found;
        generation++;
        outbox.clear();
        early = new ArrayList<>();
        List<TokenMessage.Held> holds = new ArrayList<>();
        files.reattach(generation, holds);
        world.trace(this, "opens " + session + " at " + found + ", opening " + opening + ", holds " + holds);
        Link made = new Link(world, this, found);
        link = made;
        long sentAtNs = nowNs();
        SessionId id = session;
        made.toOwner(() -> found.open(this, made, id, opening, holds, (status, sequence) -> {
            if (link == made && mine == tries) {
                opened(fresh, status, sequence, sentAtNs);
            }
        }));
    }

    private void opened(boolean fresh, Owner.Status status, long sequence, long sentAtNs) {
        if (status == Owner.Status.ENDED || fresh != (lease == null)) {
            lose();
            return;
        }
        Lease current = lease;
        if (current == null) {
            int margin = world.flaw == Flaw.IGNORES_THE_LEASE_MARGIN ? 0 : World.TERMS.marginMs();
            current = new Lease(World.TERMS.termMs(), margin, sentAtNs);
            lease = current;
        } else {
            current.renewed(sentAtNs, nowNs());
        }
        if (!current.isValid(nowNs())) {
            lose();
            return;
        }
        seenAtLeast = sequence;
        attached = true;
        watchLease();
        early.forEach(message -> files.receive(message, generation));
        early = new ArrayList<>();
        flushOutbox();
        Link mine = link;
        after(RENEW_US, () -> renew(mine));
    }

    private void renew(@Nullable Link over) {
        Owner to = owner;
        if (over == null || over != link || to == null || !attached) {
            return;
        }
        long sentAtNs = nowNs();
        SessionId renewed = session;
        boolean[] answered = new boolean[1];
        over.toOwner(() -> {
            Boolean answer = to.renew(renewed);
            if (answer != null) {
                over.toNode(() -> {
                    answered[0] = true;
                    if (over == link) {
                        renewed(answer, sentAtNs);
                    }
                });
            }
        });
        after(RENEW_US, () -> renew(over));
        after(2 * RENEW_US, () -> {
            if (!answered[0] && over == link) {
                loseConnection();
            }
        });
    }

    private void renewed(boolean alive, long sentAtNs) {
        Lease current = lease;
        if (current != null && (!alive || !current.renewed(sentAtNs, nowNs()))) {
            lose();
        } else {
            watchLease();
        }
    }

    private void watchLease() {
        Lease watched = lease;
        if (watched != null) {
            after(TimeUnit.NANOSECONDS.toMicros(watched.remainingNs(nowNs())) + 1, () -> {
                if (watched == lease && !believes()) {
                    lose();
                }
            });
        }
    }

    /** The session is over. */
    void lose() {
        world.trace(this, "loses " + session);
        breakLink();
        lease = null;
        files.lose();
        long mine = ++tries;
        after(RETRY_US, () -> again(mine));
    }

    /** Perhaps never answered. */
    void peek(int file, PeekAnswer answer) {
        Link way = link;
        Owner to = owner;
        if (attached && way != null && to != null) {
            SessionId from = session;
            way.toOwner(() -> to.peek(way, from, file, answer));
        }
    }

    void send(TokenMessage.ToOwner message, long of) {
        outbox.add(new Outgoing(message, of));
        flushOutbox();
    }

    private void flushOutbox() {
        Link way = link;
        Owner to = owner;
        if (!attached || way == null || to == null) {
            return;
        }
        while (!outbox.isEmpty()) {
            Outgoing next = outbox.remove();
            if (next.generation == generation) {
                SessionId from = session;
                TokenMessage.ToOwner message = asOfNow(next.message);
                way.toOwner(() -> to.token(from, message));
            }
        }
    }

    private TokenMessage.ToOwner asOfNow(TokenMessage.ToOwner message) {
        boolean old = message instanceof TokenMessage.Release && world.flaw != Flaw.SENDS_RELEASES_AS_THEY_WERE;
        return old && !isSpoilt() ? ((TokenMessage.Release) message).seenAtLeast(seenAtLeast) : message;
    }

    private boolean isSpoilt() {
        return world.flaw == Flaw.RELEASES_WITH_AN_OLD_SEEN;
    }

    /** From the owner, by that link, which may be an old one. */
    void token(Link by, TokenMessage.ToNode message) {
        world.trace(this, (by == link ? "" : "late: ") + message);
        if (by == link && !attached) {
            early.add(message);
        } else if (by == link) {
            files.receive(message, generation);
        } else {
            files.receive(message, generation - 1);
        }
    }
}
