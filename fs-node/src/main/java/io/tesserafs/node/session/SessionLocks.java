package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LocalLocks;
import io.tesserafs.coherence.lock.LockKind;
import io.tesserafs.coherence.lock.LockRequest;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.coherence.lock.LostLocksException;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.session.RemoteVolume.Decoder;
import io.tesserafs.node.session.VolumeWire.Op;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * The locks of a volume, wherever its owner is. What is held is remembered, to be said to the next owner. Calls to another node wait on virtual
 * threads, one after the other for each file, so that they take effect in order. Thread-safe.
 */
final class SessionLocks implements LockService {
    private static final int STRIPES = 64;
    private static final long RESTORE_TIMEOUT_MS = 3_000;

    private final NodeSession session;
    private final RemoteVolume remote;
    /** A request that waits, or is about to, at an owner on another node. */
    private record Waiter(LockRequest request, Waiting mode, CompletableFuture<LockResult> end) {}

    private final Map<Long, Waiter> waiters = new ConcurrentHashMap<>();

    /** What this node holds, as far as it knows. */
    private final LocalLocks mirror = new LocalLocks();

    private final ExecutorService[] order = new ExecutorService[STRIPES];

    SessionLocks(NodeSession session, RemoteVolume remote) {
        this.session = session;
        this.remote = remote;
        for (int i = 0; i < STRIPES; i++) {
            order[i] = Executors.newSingleThreadExecutor(
                    Thread.ofVirtual().name("tessera-locks-" + i).factory());
        }
    }

    @Override
    public SessionId session() {
        return session.id();
    }

    private @Nullable LockService here() {
        OwnedVolume owner = session.ownerHere();
        return owner == null || !owner.isOpen() ? null : owner.locks().service(session.id());
    }

    private interface Call<T extends @Nullable Object> {
        T run() throws FsException;
    }

    /** In order with the other calls for the file. */
    private <T extends @Nullable Object> CompletableFuture<T> inOrder(long inode, Call<T> call) {
        CompletableFuture<T> result = new CompletableFuture<>();
        order[(int) (inode & STRIPES - 1)].execute(() -> {
            try {
                result.complete(call.run());
            } catch (FsException e) {
                result.completeExceptionally(new LostLocksException(String.valueOf(e.getMessage())));
            }
        });
        return result;
    }

    private LockResult ask(WireOut request) throws FsException {
        return remote.call(request, (Decoder<LockResult>) LockWire::result);
    }

    @Override
    public CompletableFuture<@Nullable HeldLock> getlk(LockRequest request) {
        LockService owner = here();
        if (owner != null) {
            return owner.getlk(request);
        }
        return inOrder(request.inode(), () -> {
            WireOut out = VolumeWire.request(Op.LOCK_GET);
            LockWire.request(out, request);
            HeldLock[] found = new HeldLock[1];
            remote.call(out, in -> {
                if (in.flag()) {
                    found[0] = LockWire.held(in);
                }
                return true;
            });
            return found[0];
        });
    }

    @Override
    public CompletableFuture<LockResult> setlk(long requestId, LockRequest request, Waiting waiting) {
        LockService owner = here();
        CompletableFuture<LockResult> result =
                owner != null ? owner.setlk(requestId, request, waiting) : setThere(requestId, request, waiting);
        return result.thenApply(end -> {
            if (end == LockResult.GRANTED) {
                mirror.service(request.owner().session())
                        .setlk(requestId, request, Waiting.NO)
                        .join();
            }
            return end;
        });
    }

    private CompletableFuture<LockResult> setThere(long requestId, LockRequest request, Waiting mode) {
        Waiter waiter = new Waiter(request, mode, new CompletableFuture<>());
        waiters.put(requestId, waiter); // before the owner is asked: its word may be faster than its answer
        var _ = inOrder(request.inode(), () -> ask(set(requestId, waiter))).whenComplete((first, lost) -> {
            if (lost != null) {
                ended(requestId, LockResult.LOST);
            } else if (first != LockResult.QUEUED) {
                ended(requestId, first);
            }
        });
        return waiter.end;
    }

    private static WireOut set(long requestId, Waiter waiter) {
        WireOut out = VolumeWire.request(Op.LOCK_SET).i64(requestId);
        LockWire.request(out, waiter.request);
        LockWire.waiting(out, waiter.mode);
        return out;
    }

    /** The owner's word on a request that waited. Must not block. */
    void ended(long requestId, LockResult result) {
        Waiter waiter = waiters.remove(requestId);
        if (waiter != null) {
            waiter.end.complete(result);
        }
    }

    @Override
    public CompletableFuture<LockResult> unlock(
            long inode, LockKind kind, long kernelOwner, long firstByte, long lastByte) {
        LockService owner = here();
        mirror.service(session.id())
                .unlock(inode, kind, kernelOwner, firstByte, lastByte)
                .join();
        if (owner != null) {
            return owner.unlock(inode, kind, kernelOwner, firstByte, lastByte);
        }
        return inOrder(inode, () -> {
                    WireOut out = VolumeWire.request(Op.LOCK_UNLOCK).i64(inode);
                    LockWire.kind(out, kind);
                    return ask(out.i64(kernelOwner).i64(firstByte).i64(lastByte));
                })
                .exceptionally(lost -> LockResult.LOST);
    }

    @Override
    public CompletableFuture<LockResult> releaseOwner(long inode, LockKind kind, long kernelOwner) {
        LockService owner = here();
        mirror.service(session.id()).releaseOwner(inode, kind, kernelOwner).join();
        if (owner != null) {
            return owner.releaseOwner(inode, kind, kernelOwner);
        }
        return inOrder(inode, () -> {
                    WireOut out = VolumeWire.request(Op.LOCK_RELEASE).i64(inode);
                    LockWire.kind(out, kind);
                    return ask(out.i64(kernelOwner));
                })
                .exceptionally(lost -> LockResult.LOST);
    }

    @Override
    public void cancel(long requestId) {
        LockService owner = here();
        if (owner != null) {
            owner.cancel(requestId);
            return;
        }
        Thread.startVirtualThread(
                () -> remote.quietly(VolumeWire.request(Op.LOCK_CANCEL).i64(requestId), "cancel"));
    }

    /** A session has ended, and its locks with it. */
    void forget(SessionId ended) {
        mirror.endSession(ended).join();
        waiters.forEach((requestId, waiter) -> {
            if (waiter.request.owner().session().equals(ended)) {
                ended(requestId, LockResult.LOST);
            }
        });
    }

    /**
     * Tells an owner that may be a new one what is held, before anything else is asked of it.
     *
     * @param number of a call that was not used yet
     * @return false if the owner does not answer
     */
    boolean restore(OwnerConnection owner, long number, long answeredBelow) {
        List<HeldLock> held = mirror.held(session.id()).join();
        OwnedVolume here = owner.here();
        if (here != null) {
            here.locks().service(session.id());
            held.forEach(lock -> here.locks().restore(lock).join());
            here.restored(session.id());
            return true;
        }
        WireOut out = VolumeWire.request(Op.LOCK_RESTORE).i32(held.size());
        held.forEach(lock -> LockWire.request(out, lock.asRequest()));
        return owner.call(number, answeredBelow, out.done(), RESTORE_TIMEOUT_MS) != null;
    }

    /** The link is a new one: the word on what waits may have been lost with the old. */
    void askAgain() {
        waiters.forEach((requestId, waiter) -> {
            if (waiter.request.owner().session().equals(session.id())) {
                var _ = inOrder(waiter.request.inode(), () -> ask(set(requestId, waiter)))
                        .whenComplete((result, lost) -> {
                            if (lost == null && result != LockResult.QUEUED) {
                                ended(requestId, result);
                            }
                        });
            }
        });
    }

    void close() {
        for (ExecutorService stripe : order) {
            stripe.shutdown();
        }
    }
}
