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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * The locks of a volume, wherever its owner is. What is held is remembered, to be said to the next owner. Calls to another node wait on virtual
 * threads, one after the other for each file, so that they take effect in order. Thread-safe.
 */
final class SessionLocks implements LockService {
    private static final int STRIPES = 64;

    private final NodeSession session;
    private final RemoteVolume remote;
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
        CompletableFuture<LockResult> result = owner != null
                ? owner.setlk(requestId, request, waiting)
                : inOrder(request.inode(), () -> {
                            WireOut out = VolumeWire.request(Op.LOCK_SET).i64(requestId);
                            LockWire.request(out, request);
                            LockWire.waiting(out, waiting);
                            return ask(out);
                        })
                        .thenCompose(first -> first == LockResult.QUEUED
                                ? await(requestId, request, waiting)
                                : CompletableFuture.completedFuture(first))
                        .exceptionally(lost -> LockResult.LOST);
        return result.thenApply(end -> {
            if (end == LockResult.GRANTED) {
                mirror.service(request.owner().session())
                        .setlk(requestId, request, Waiting.NO)
                        .join();
            }
            return end;
        });
    }

    /** Off the order: others go on while this one waits. */
    private CompletableFuture<LockResult> await(long requestId, LockRequest request, Waiting waiting) {
        CompletableFuture<LockResult> end = new CompletableFuture<>();
        Thread.ofVirtual().name("tessera-lock-wait").start(() -> {
            try {
                LockResult result = LockResult.QUEUED;
                while (result == LockResult.QUEUED) {
                    result = ask(VolumeWire.request(Op.LOCK_AWAIT).i64(requestId));
                    if (result == LockResult.LOST && request.owner().session().equals(session.id())) {
                        WireOut again = VolumeWire.request(Op.LOCK_SET).i64(requestId); // a new owner
                        LockWire.request(again, request);
                        LockWire.waiting(again, waiting);
                        result = ask(again);
                    }
                }
                end.complete(result);
            } catch (FsException e) {
                end.complete(LockResult.LOST);
            }
        });
        return end;
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
    }

    /** Tells a new owner what is held. */
    void restore(OwnerConnection owner) {
        List<HeldLock> held = mirror.held(session.id()).join();
        OwnedVolume here = owner.here();
        if (here != null) {
            here.locks().service(session.id());
            held.forEach(lock -> here.locks().restore(lock).join());
        } else if (!held.isEmpty()) {
            WireOut out = VolumeWire.request(Op.LOCK_RESTORE).i32(held.size());
            held.forEach(lock -> LockWire.request(out, lock.asRequest()));
            Thread.startVirtualThread(() -> restoreThere(out, held.size()));
        }
    }

    private void restoreThere(WireOut out, int count) {
        try {
            remote.call(out, in -> {
                for (int i = 0; i < count; i++) {
                    LockWire.result(in);
                }
                return true;
            });
        } catch (FsException e) {
            session.warn("locks could not be said to the new owner: " + e.getMessage());
        }
    }

    void close() {
        for (ExecutorService stripe : order) {
            stripe.shutdown();
        }
    }
}
