package io.tesserafs.coherence.lock;

import io.tesserafs.coherence.lock.LockService.Waiting;
import io.tesserafs.fabric.brick.SessionId;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A volume's lock table in this process, reached without a thread of its own: whoever brings a request works through the queue, unless somebody
 * does so already. So a request that need not wait is done before the call returns, as long as nobody else is at it. Thread-safe.
 *
 * <p>For the node that owns the volume, and for what serves the others there: a {@link #service} per session.
 */
public final class LocalLocks {
    private static final Logger LOG = LoggerFactory.getLogger(LocalLocks.class);

    /** Ends of sessions are rare; who comes back after so many others have ended is long known to be gone. */
    private static final int MAX_ENDED = 1 << 16;
    /** Cancellations that overtook their requests: at most what is under way between a node and the owner. */
    private static final int MAX_EARLY = 1 << 12;

    private record WaiterId(SessionId session, long requestId) {}

    /** Forgets the oldest when there are too many. */
    private static final class Recent<T> extends LinkedHashMap<T, Boolean> {
        private static final long serialVersionUID = 1L;
        private final int most;

        Recent(int most) {
            this.most = most;
        }

        @Override
        protected boolean removeEldestEntry(Map.Entry<T, Boolean> eldest) {
            return size() > most;
        }
    }

    private final Queue<Runnable> inbox = new ConcurrentLinkedQueue<>();
    private final AtomicInteger pending = new AtomicInteger();

    /** Guarded by itself, as is {@link #ended}. */
    private final Set<SessionId> sessions = new HashSet<>();

    private final Recent<SessionId> ended = new Recent<>(MAX_ENDED);

    // Touched by whoever works through the queue.
    private final LockTable table;
    private final Map<WaiterId, CompletableFuture<LockResult>> waiting = new HashMap<>();
    private final Recent<WaiterId> cancelledEarly = new Recent<>(MAX_EARLY);
    private final Map<SessionId, Consumer<HeldLock>> losers = new HashMap<>();

    public LocalLocks() {
        this(LockLimits.DEFAULT);
    }

    public LocalLocks(LockLimits limits) {
        this.table = new LockTable(limits, this::finished);
    }

    /** The table as this session sees it. One that has ended stays so: all it asks ends with LOST. */
    public LockService service(SessionId session) {
        synchronized (sessions) {
            if (!ended.containsKey(session)) {
                sessions.add(session);
            }
        }
        return new Service(session);
    }

    private boolean isLive(SessionId session) {
        synchronized (sessions) {
            return sessions.contains(session);
        }
    }

    /** What the session held is free from now on; what waits, and whatever it asks later, ends with LOST. */
    public CompletableFuture<LockResult> endSession(SessionId session) {
        return submit(() -> {
            synchronized (sessions) {
                sessions.remove(session);
                ended.put(session, true);
            }
            Consumer<HeldLock> loser = losers.remove(session);
            if (loser != null) {
                table.held(session).forEach(loser);
            }
            table.endSession(session);
            for (WaiterId id : List.copyOf(waiting.keySet())) {
                if (id.session().equals(session)) {
                    finished(session, id.requestId(), LockResult.LOST);
                }
            }
            return LockResult.GRANTED;
        });
    }

    /** See {@link LockTable#restore}. */
    public CompletableFuture<LockResult> restore(HeldLock lock) {
        return submit(() -> isLive(lock.owner().session()) ? table.restore(lock) : LockResult.LOST);
    }

    /** What a session holds. */
    public CompletableFuture<List<HeldLock>> held(SessionId session) {
        return submit(() -> table.held(session));
    }

    /** What is held of a file. */
    public CompletableFuture<List<HeldLock>> held(long inode) {
        return submit(() -> table.held(inode));
    }

    /** How many requests wait. */
    public CompletableFuture<Integer> waiting() {
        return submit(table::waiterCount);
    }

    private <T extends @Nullable Object> CompletableFuture<T> submit(Supplier<T> work) {
        CompletableFuture<T> result = new CompletableFuture<>();
        inbox.add(() -> {
            try {
                result.complete(work.get());
            } catch (RuntimeException | Error e) {
                result.completeExceptionally(e);
            }
        });
        if (pending.getAndIncrement() == 0) { // else whoever is at it will see to it
            do {
                inbox.remove().run();
            } while (pending.decrementAndGet() != 0);
        }
        return result;
    }

    private void finished(SessionId session, long requestId, LockResult result) {
        CompletableFuture<LockResult> future = waiting.remove(new WaiterId(session, requestId));
        if (future != null) {
            future.complete(result);
        }
    }

    private final class Service implements LockService {
        private final SessionId session;

        Service(SessionId session) {
            this.session = session;
        }

        @Override
        public SessionId session() {
            return session;
        }

        @Override
        public CompletableFuture<@Nullable HeldLock> getlk(LockRequest request) {
            checkOwner(request);
            return submit(() -> table.get(request));
        }

        @Override
        public CompletableFuture<LockResult> setlk(long requestId, LockRequest request, Waiting mode) {
            checkOwner(request);
            if (mode == Waiting.NO) {
                return submit(() -> isLive(session) ? table.set(request) : LockResult.LOST);
            }
            CompletableFuture<LockResult> end = new CompletableFuture<>();
            return submit(() -> setw(requestId, request, mode, end))
                    .thenCompose(
                            result -> result == LockResult.QUEUED ? end : CompletableFuture.completedFuture(result));
        }

        private LockResult setw(long requestId, LockRequest request, Waiting mode, CompletableFuture<LockResult> end) {
            if (!isLive(session)) {
                return LockResult.LOST;
            }
            WaiterId id = new WaiterId(session, requestId);
            if (waiting.containsKey(id)) {
                throw new IllegalStateException("request " + requestId + " of " + session + " waits already");
            }
            waiting.put(id, end);
            LockResult result = LockResult.LOST;
            try {
                result = table.setw(requestId, request, mode == Waiting.YES);
            } finally {
                if (result != LockResult.QUEUED) {
                    waiting.remove(id);
                }
                if (cancelledEarly.remove(id) != null && result == LockResult.QUEUED) {
                    table.cancel(session, requestId);
                }
            }
            return result;
        }

        @Override
        public CompletableFuture<LockResult> unlock(
                long inode, LockKind kind, long kernelOwner, long firstByte, long lastByte) {
            LockOwner owner = new LockOwner(session, kernelOwner);
            return submit(() -> table.unlock(inode, kind, owner, firstByte, lastByte));
        }

        @Override
        public CompletableFuture<LockResult> releaseOwner(long inode, LockKind kind, long kernelOwner) {
            LockOwner owner = new LockOwner(session, kernelOwner);
            return submit(() -> {
                table.releaseOwner(inode, kind, owner);
                return LockResult.GRANTED;
            });
        }

        @Override
        public void onLost(Consumer<HeldLock> listener) {
            submit(() -> isLive(session) ? losers.put(session, listener) : null).join();
        }

        @Override
        public void cancel(long requestId) {
            submit(() -> {
                        WaiterId id = new WaiterId(session, requestId);
                        if (waiting.containsKey(id)) {
                            table.cancel(session, requestId);
                        } else {
                            cancelledEarly.put(id, true); // or it has ended already, and the note is of no use
                        }
                        return LockResult.GRANTED;
                    })
                    .exceptionally(failure -> {
                        LOG.error("cancelling lock request {} of {} failed", requestId, session, failure);
                        return LockResult.LOST;
                    });
        }

        private void checkOwner(LockRequest request) {
            if (!request.owner().session().equals(session)) {
                throw new IllegalArgumentException(request + " is not of session " + session);
            }
        }
    }
}
