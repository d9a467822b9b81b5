package io.tesserafs.coherence.token;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * This node's tokens of one volume, for one session with its owner. Thread-safe.
 *
 * <p>Tokens outlive the files that are open: a file opened again finds them. Of resources that nobody has open, a limited number
 * keeps them; the one unused longest is given back first, which costs an invalidation like any recall.
 *
 * <p>Recalls run on threads of their own, as many as there are recalls: one may wait in the kernel for a request that in turn
 * waits for another recall. They are platform threads, because an invalidation blocks in a system call.
 *
 * <p>Locks, in order: a resource's entry in the map; then its monitor, or the list of unused ones. Nothing blocks under any.
 */
public final class TokenCache implements TokenClient, AutoCloseable {
    /** About 0.5 KiB each, here and in the owner's table. */
    public static final int DEFAULT_MAX_UNUSED = 65_536;

    /** A message, and the generation of the link it is for. */
    private record Outgoing(TokenMessage.ToOwner message, long generation) {}

    private final int maxUnused;
    private final Map<Resource, CachedTokens> resources = new ConcurrentHashMap<>();
    private final Queue<Outgoing> outbox = new ConcurrentLinkedQueue<>();
    private final AtomicInteger unsent = new AtomicInteger();
    private final TokenCounters counters = new TokenCounters();

    /** Resources that nobody has open, unused longest first. Guarded by itself. */
    private final Set<CachedTokens> unused = new LinkedHashSet<>();

    private final AtomicBoolean evicting = new AtomicBoolean();
    private final ExecutorService workers = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("tessera-recall-", 0).factory());
    private volatile @Nullable RecallHandler handler;
    /** No session: nothing is held, and nothing can be entered. */
    private volatile boolean ended;
    /** Null while there is none: messages wait. */
    private volatile @Nullable OwnerLink link;
    /** Of the link, or of the next one. */
    private volatile long generation;

    /** The owner's sequence when it took note of what was held, for the present link. */
    private volatile long seenAtLeast;

    public TokenCache(OwnerLink link) {
        this(link, DEFAULT_MAX_UNUSED);
    }

    /**
     * @param maxUnused how many resources that are not open keep their tokens
     */
    public TokenCache(OwnerLink link, int maxUnused) {
        this(maxUnused);
        attach(link, detach()).join();
    }

    /** Without a link, and so without tokens, until {@link #attach}. */
    public TokenCache(int maxUnused) {
        this.maxUnused = maxUnused;
    }

    /**
     * The link is broken, or about to be replaced: nothing is sent or taken any more until {@link #attach}. What is held stays held for as long as the
     * session's lease lasts. One thread at a time attaches and detaches.
     *
     * @return what is held, for the next link
     */
    public List<TokenMessage.Held> detach() {
        link = null;
        long next = generation + 1;
        generation = next;
        outbox.clear(); // of the old link; what still matters is said anew
        List<TokenMessage.Held> holds = new ArrayList<>();
        for (CachedTokens tokens : resources.values()) {
            tokens.reattach(next, holds);
        }
        return holds;
    }

    /** Goes on over a link, with the holdings that {@link #detach} gave. Done when the owner has taken note. */
    public CompletableFuture<Void> attach(OwnerLink next, List<TokenMessage.Held> holds) {
        long mine = generation;
        Entrance entrance = new Entrance(mine);
        return next.connect(holds, entrance).thenAccept(sequence -> {
            if (generation == mine) {
                seenAtLeast = sequence;
                link = next;
                entrance.open();
                flushOutbox();
            }
        });
    }

    /** Where messages of one link come in; those that are faster than the answer to its connect wait for that. */
    private final class Entrance implements OwnerLink.Receiver {
        private final long mine;
        /** Null once open. Guarded by this. */
        private @Nullable List<TokenMessage.ToNode> early = new ArrayList<>();

        Entrance(long mine) {
            this.mine = mine;
        }

        @Override
        public void receive(TokenMessage.ToNode message) {
            synchronized (this) {
                if (early != null) {
                    early.add(message);
                    return;
                }
            }
            TokenCache.this.receive(message, mine);
        }

        synchronized void open() {
            List<TokenMessage.ToNode> waiting = early;
            early = null;
            if (waiting != null) {
                waiting.forEach(message -> TokenCache.this.receive(message, mine));
            }
        }
    }

    /** After {@link #endSession}: tokens can be had again, under a new session; attach its link next. */
    public void beginSession() {
        ended = false;
        for (CachedTokens tokens : resources.values()) {
            tokens.revive();
        }
    }

    long seenAtLeast() {
        return seenAtLeast;
    }

    public TokenCounters counters() {
        return counters;
    }

    @Override
    public void onRecall(RecallHandler recallHandler) {
        if (handler != null) {
            throw new IllegalStateException("the recall handler is set already");
        }
        handler = recallHandler;
    }

    @Override
    public FileTokens open(Resource resource) {
        handler();
        CachedTokens tokens = refer(resource);
        if (ended) {
            tokens.fence();
        }
        return tokens;
    }

    /** One reference more. */
    private CachedTokens refer(Resource resource) {
        CachedTokens tokens = resources.compute(resource, (key, present) -> {
            CachedTokens found = present != null ? present : new CachedTokens(this, key, generation);
            found.countReference(1);
            if (present != null && found.references() == 1) {
                synchronized (unused) {
                    unused.remove(found);
                }
            }
            return found;
        });
        tokens.follow(generation); // a link that was lost meanwhile may not have found it
        return tokens;
    }

    /**
     * Whether all of the resource is held at this moment and was, without a pause, since the owner said something along with that sequence; see
     * {@link FileTokens#isHeldSince}. Never waits.
     */
    public boolean isHeldSince(Resource resource, long sequence) {
        CachedTokens tokens = sequence == 0 ? null : resources.get(resource);
        int ticket = tokens == null ? FileTokens.REFUSED : tokens.tryEnter(0, FileTokens.TO_END, Mode.SHARED);
        if (tokens == null || ticket == FileTokens.REFUSED) {
            return false;
        }
        try {
            return tokens.isHeldSince(sequence);
        } finally {
            tokens.exit(ticket);
        }
    }

    /** Resources of which something is held, open or not. */
    public int size() {
        return resources.size();
    }

    /**
     * The session is over, by the owner's word or by this node's clock: whoever waits fails, nothing can be entered any more, and
     * when this returns nothing is cached in the kernel. Unsaved changes are lost; requests inside finish. Idempotent.
     */
    public void endSession() {
        ended = true;
        for (CachedTokens tokens : resources.values()) {
            if (tokens.fence()) {
                handler().forget(tokens.resource());
            }
        }
    }

    /** Ends the session and the threads; recalls under way finish. */
    @Override
    public void close() {
        if (!resources.isEmpty()) {
            endSession();
        }
        workers.shutdown();
    }

    void close(CachedTokens tokens) {
        resources.computeIfPresent(tokens.resource(), (key, present) -> {
            present.countReference(-1);
            return present.references() == 0 ? keepOrForget(present) : present;
        });
        evictExcess();
    }

    /** After the last work of a resource that nobody has open. */
    void settle(CachedTokens tokens) {
        resources.computeIfPresent(
                tokens.resource(), (key, present) -> present.references() == 0 ? keepOrForget(present) : present);
        evictExcess();
    }

    RecallHandler handler() {
        RecallHandler set = handler;
        if (set == null) {
            throw new IllegalStateException("no recall handler is set");
        }
        return set;
    }

    void executeLater(Runnable work, long delayMs) {
        CompletableFuture.delayedExecutor(delayMs, TimeUnit.MILLISECONDS, workers)
                .execute(work);
    }

    void execute(Runnable work) {
        workers.execute(work);
    }

    /** Under the monitor of the message's resource, so that a resource's messages keep their order. */
    void enqueue(TokenMessage.ToOwner message, long forGeneration) {
        outbox.add(new Outgoing(message, forGeneration));
    }

    /** Sends what was enqueued, without holding anything: the link may answer at once, on this thread. */
    void flushOutbox() {
        if (outbox.isEmpty() || unsent.getAndIncrement() != 0) {
            return; // whoever is sending looks again
        }
        do {
            OwnerLink way = link;
            Outgoing next;
            while (way != null && (next = outbox.poll()) != null) {
                if (next.generation == generation) {
                    counters.count(next.message);
                    way.send(asOf(next.message, seenAtLeast));
                } else if (next.generation > generation) {
                    throw new IllegalStateException("a message from the future");
                }
                way = link;
            }
        } while (unsent.decrementAndGet() != 0);
    }

    /** A release from between two links must apply to what the newer one was made with. */
    private static TokenMessage.ToOwner asOf(TokenMessage.ToOwner message, long seen) {
        return message instanceof TokenMessage.Release release ? release.seenAtLeast(seen) : message;
    }

    private void receive(TokenMessage.ToNode message, long from) {
        counters.count(message);
        if (message instanceof TokenMessage.Grant grant && grant.id() == TokenMessage.NOBODY_ASKED) {
            // Perhaps of what is not known here, or is just being forgotten; it must not go unnoticed.
            CachedTokens tokens = refer(grant.resource());
            if (ended) {
                tokens.fence();
            }
            tokens.receive(grant, from);
            close(tokens);
            return;
        }
        CachedTokens tokens = resources.get(message.resource());
        if (tokens == null) {
            return; // a recall of what was given back meanwhile
        }
        tokens.receive(message, from);
        if (tokens.references() == 0 && message instanceof TokenMessage.Grant) {
            settle(tokens); // whoever asked for it has gone
        }
    }

    /** Under the map's lock for the resource. */
    private @Nullable CachedTokens keepOrForget(CachedTokens tokens) {
        boolean forget = ended || tokens.isIdle();
        synchronized (unused) {
            if (forget) {
                unused.remove(tokens);
            } else {
                unused.add(tokens);
            }
        }
        return forget ? null : tokens;
    }

    private void evictExcess() {
        if (hasExcess() && evicting.compareAndSet(false, true)) {
            execute(this::evict);
        }
    }

    private boolean hasExcess() {
        synchronized (unused) {
            return unused.size() > maxUnused;
        }
    }

    private void evict() {
        while (true) {
            CachedTokens eldest = pollExcess();
            if (eldest != null) {
                eldest.evict();
                continue;
            }
            evicting.set(false);
            if (!hasExcess() || !evicting.compareAndSet(false, true)) {
                return;
            }
        }
    }

    private @Nullable CachedTokens pollExcess() {
        synchronized (unused) {
            if (unused.size() <= maxUnused) {
                return null;
            }
            Iterator<CachedTokens> it = unused.iterator();
            CachedTokens eldest = it.next();
            it.remove();
            return eldest;
        }
    }
}
