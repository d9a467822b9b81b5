package io.tesserafs.coherence.token;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The owner's table in this process, reached without a thread of its own: whoever brings a message works through the queue,
 * unless somebody does so already. So an uncontended request is granted before {@link OwnerLink#send} returns, on the caller's
 * thread, and the table is still touched by one thread at a time. Thread-safe.
 *
 * <p>During the grace period of a new owner nothing is granted: first everybody says what they hold.
 */
public final class LocalOwner {
    private static final Logger LOG = LoggerFactory.getLogger(LocalOwner.class);

    private final Queue<Consumer<TokenTable>> inbox = new ConcurrentLinkedQueue<>();
    private final AtomicInteger pending = new AtomicInteger();
    private final Map<SessionId, OwnerLink.Receiver> receivers = new ConcurrentHashMap<>();
    private final TokenTable table;
    private final Consumer<RuntimeException> onFailure;
    /** Requests that wait for the end of the grace period. Whoever works on the table. */
    private final List<Runnable> heldBack = new ArrayList<>();

    private boolean grace;
    /** Grants go with an answer. Whoever works on the table. */
    private boolean offering;

    /** Of a volume that has one owner for ever: for tests, and for one node alone. */
    public LocalOwner() {
        this(0, e -> LOG.error("the token table failed", e));
    }

    /**
     * @param epoch of the owner; sequences of a later one are higher
     * @param onFailure the table broke an invariant: nothing it says can be trusted, the owner must stop
     */
    public LocalOwner(long epoch, Consumer<RuntimeException> onFailure) {
        this.table = new TokenTable(epoch, this::deliver);
        this.onFailure = onFailure;
    }

    /** The link of a session in this process. */
    public OwnerLink link(SessionId session) {
        return new Link(session);
    }

    /**
     * A session begins, or is back after its connection or its owner was lost: from now on it holds exactly what it says.
     *
     * @param receiver takes what is sent to the session from now on
     * @return the newest sequence of what it holds
     */
    public CompletableFuture<Long> attach(
            SessionId session, List<TokenMessage.Held> holds, OwnerLink.Receiver receiver) {
        CompletableFuture<Long> sequence = new CompletableFuture<>();
        submit(t -> {
            receivers.put(session, receiver);
            sequence.complete(t.reattach(session, holds));
        });
        return sequence;
    }

    /** A message of a session that is attached; of others nothing is taken. */
    public void receive(SessionId session, TokenMessage.ToOwner message) {
        submit(t -> {
            if (!receivers.containsKey(session)) {
                return;
            }
            if (grace && message instanceof TokenMessage.Request) {
                heldBack.add(() -> receive(session, message));
            } else {
                t.receive(session, message);
            }
        });
    }

    /**
     * Gives the session all of these resources in that mode, if that can be done without asking anybody; never recalls. Waits for others who are at the
     * table, who do not wait in turn.
     *
     * <p>What is read of these resources after this returned is good for the session for as long as {@link FileTokens#isHeldSince} says so of the result.
     *
     * @return the newest sequence if the session has all of them now, else 0
     */
    public long offer(SessionId session, Mode mode, Resource... wanted) {
        long newest = Long.MAX_VALUE;
        for (long sequence : offerEach(session, mode, List.of(wanted))) {
            newest = Math.min(newest, sequence);
        }
        return newest;
    }

    /** As {@link #offer} for each of them by itself. */
    public long[] offerEach(SessionId session, Mode mode, List<Resource> wanted) {
        return ask(session, wanted, (t, resource) -> t.offer(session, resource, mode));
    }

    /** As {@link #offer}, but nothing is given that the session does not have. */
    public long asOf(SessionId session, Mode mode, Resource resource) {
        return ask(session, List.of(resource), (t, each) -> {
            Mode has = t.held(session, each, 0, FileTokens.TO_END);
            return has != null && has.covers(mode);
        })[0];
    }

    private long[] ask(SessionId session, List<Resource> about, BiPredicate<TokenTable, Resource> has) {
        CompletableFuture<long[]> answer = new CompletableFuture<>();
        submit(t -> {
            long[] sequences = new long[about.size()];
            offering = true;
            try {
                boolean open = !grace && receivers.containsKey(session);
                for (int i = 0; open && i < sequences.length; i++) {
                    sequences[i] = has.test(t, about.get(i)) ? 1 : 0;
                }
                for (int i = 0; i < sequences.length; i++) {
                    sequences[i] *= t.lastSequence();
                }
            } finally {
                offering = false;
                answer.complete(sequences);
            }
        });
        return answer.join();
    }

    /** Ends a session: what it held is free from now on, and it gets no more messages. */
    public void endSession(SessionId session) {
        submit(t -> {
            receivers.remove(session);
            t.endSession(session);
        });
    }

    public void beginGrace() {
        submit(t -> grace = true);
    }

    public void endGrace() {
        submit(t -> {
            grace = false;
            heldBack.forEach(Runnable::run);
            heldBack.clear();
        });
    }

    /**
     * Recalls all that is held of an inode.
     *
     * @return completed with what was held, once none of it is any more
     */
    public CompletableFuture<List<TokenTable.Entry>> recall(long inode) {
        CompletableFuture<List<TokenTable.Entry>> recalled = new CompletableFuture<>();
        submit(t -> {
            List<TokenTable.Entry> held = t.entriesOf(inode).stream()
                    .filter(entry -> !entry.isWaiting())
                    .toList();
            t.recall(inode, () -> recalled.complete(held));
        });
        return recalled;
    }

    /** Asks for something about the table, on whatever thread works on it. */
    public <T> CompletableFuture<T> query(java.util.function.Function<TokenTable, T> question) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        submit(t -> answer.complete(question.apply(t)));
        return answer;
    }

    private void submit(Consumer<TokenTable> work) {
        inbox.add(work);
        if (pending.getAndIncrement() != 0) {
            return; // whoever is at it will see to it
        }
        do {
            try {
                inbox.remove().accept(table);
            } catch (RuntimeException e) {
                onFailure.accept(e);
            }
        } while (pending.decrementAndGet() != 0);
    }

    private void deliver(SessionId to, TokenMessage.ToNode message) {
        OwnerLink.Receiver receiver = receivers.get(to);
        if (receiver != null && offering) {
            receiver.receiveWithAnswer(message);
        } else if (receiver != null) {
            receiver.receive(message);
        }
    }

    private final class Link implements OwnerLink {
        private final SessionId session;

        Link(SessionId session) {
            this.session = session;
        }

        @Override
        public void send(TokenMessage.ToOwner message) {
            receive(session, message);
        }

        @Override
        public CompletableFuture<Long> connect(List<TokenMessage.Held> holds, Receiver receiver) {
            return attach(session, holds, receiver);
        }
    }
}
