package io.tesserafs.coherence.token;

import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
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
    public static final int DEFAULT_MAX_UNUSED = 32_768;

    private final OwnerLink link;
    private final int maxUnused;
    private final Map<Resource, CachedTokens> resources = new ConcurrentHashMap<>();
    private final Queue<TokenMessage.ToOwner> outbox = new ConcurrentLinkedQueue<>();
    private final AtomicInteger unsent = new AtomicInteger();

    /** Resources that nobody has open, unused longest first. Guarded by itself. */
    private final Set<CachedTokens> unused = new LinkedHashSet<>();

    private final AtomicBoolean evicting = new AtomicBoolean();
    private final ExecutorService workers = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("tessera-recall-", 0).factory());
    private volatile @Nullable RecallHandler handler;
    private volatile boolean ended;

    public TokenCache(OwnerLink link) {
        this(link, DEFAULT_MAX_UNUSED);
    }

    /**
     * @param maxUnused how many resources that are not open keep their tokens
     */
    public TokenCache(OwnerLink link, int maxUnused) {
        this.link = link;
        this.maxUnused = maxUnused;
        link.connect(this::receive);
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
        CachedTokens tokens = resources.compute(resource, (key, present) -> {
            CachedTokens found = present != null ? present : new CachedTokens(this, key);
            found.countReference(1);
            if (present != null && found.references() == 1) {
                synchronized (unused) {
                    unused.remove(found);
                }
            }
            return found;
        });
        if (ended) {
            tokens.fence();
        }
        return tokens;
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
                handler().invalidate(tokens.resource(), 0, FileTokens.TO_END);
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

    void execute(Runnable work) {
        workers.execute(work);
    }

    /** Under the monitor of the message's resource, so that a resource's messages keep their order. */
    void enqueue(TokenMessage.ToOwner message) {
        outbox.add(message);
    }

    /** Sends what was enqueued, without holding anything: the link may answer at once, on this thread. */
    void flushOutbox() {
        if (outbox.isEmpty() || unsent.getAndIncrement() != 0) {
            return; // whoever is sending looks again
        }
        do {
            TokenMessage.ToOwner message;
            while ((message = outbox.poll()) != null) {
                link.send(message);
            }
        } while (unsent.decrementAndGet() != 0);
    }

    private void receive(TokenMessage.ToNode message) {
        CachedTokens tokens = resources.get(message.resource());
        if (tokens == null) {
            return; // a recall of what was given back meanwhile
        }
        tokens.receive(message);
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
