package io.tesserafs.coherence.lock;

import io.tesserafs.coherence.lock.LockService.Waiting;
import io.tesserafs.fabric.brick.SessionId;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
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

    private record WaiterId(SessionId session, long requestId) {}

    private final Queue<Runnable> inbox = new ConcurrentLinkedQueue<>();
    private final AtomicInteger pending = new AtomicInteger();

    private final Set<SessionId> sessions = ConcurrentHashMap.newKeySet();

    // Touched by whoever works through the queue.
    private final LockTable table;
    private final Map<WaiterId, CompletableFuture<LockResult>> waiting = new HashMap<>();

    public LocalLocks() {
        this(LockLimits.DEFAULT);
    }

    public LocalLocks(LockLimits limits) {
        this.table = new LockTable(limits, this::finished);
    }

    /** The table as this session sees it. A session is not used again after it ended. */
    public LockService service(SessionId session) {
        sessions.add(session);
        return new Service(session);
    }

    /** What the session held is free from now on; what waits, and whatever it asks later, ends with LOST. */
    public CompletableFuture<LockResult> endSession(SessionId session) {
        return submit(() -> {
            sessions.remove(session);
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
        return submit(() -> sessions.contains(lock.owner().session()) ? table.restore(lock) : LockResult.LOST);
    }

    /** What a session holds. */
    public CompletableFuture<List<HeldLock>> held(SessionId session) {
        return submit(() -> table.held(session));
    }

    /** What is held of a file. */
    public CompletableFuture<List<HeldLock>> held(long inode) {
        return submit(() -> table.held(inode));
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
                return submit(() -> sessions.contains(session) ? table.set(request) : LockResult.LOST);
            }
            CompletableFuture<LockResult> end = new CompletableFuture<>();
            return submit(() -> setw(requestId, request, mode, end))
                    .thenCompose(
                            result -> result == LockResult.QUEUED ? end : CompletableFuture.completedFuture(result));
        }

        private LockResult setw(long requestId, LockRequest request, Waiting mode, CompletableFuture<LockResult> end) {
            if (!sessions.contains(session)) {
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
        public void cancel(long requestId) {
            submit(() -> {
                        table.cancel(session, requestId);
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
