package io.tesserafs.node.data;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LockKind;
import io.tesserafs.coherence.lock.LockMode;
import io.tesserafs.coherence.lock.LockOwner;
import io.tesserafs.coherence.lock.LockRequest;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.coherence.lock.LockService.Waiting;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileLock;
import io.tesserafs.fuse.Request;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * fcntl and flock locks of this node's applications, kept by the volume's owner. A request that waits occupies no thread. Thread-safe.
 *
 * <p><b>When locks end.</b> flock: the kernel names the owner with the handle's release. POSIX: at each close of a file, all that the process holds of
 * it; the flush says whose. Open file description locks come as POSIX locks with the description as owner, whom no flush ever names: so what was taken through
 * a handle, and not flushed since, ends with the handle. Locks that end in no such way are {@link LostLocks}.
 */
final class LockHandlers {
    private static final Logger LOG = LoggerFactory.getLogger(LockHandlers.class);

    /** Requests of this node that may wait at a time; a further one is answered ENOLCK if it would have to. */
    private static final int MAX_WAITING = 2048;

    private final LockService service;
    private final Granted granted;
    private final Opened opened;
    private final PosixOwners posixOwners = new PosixOwners();
    /** By which handle an owner has its flock lock: each open file is an owner of its own. */
    private final ConcurrentHashMap<PosixOwners.FileOwner, Long> flockHandles = new ConcurrentHashMap<>();

    private final LostLocks lost = new LostLocks();
    private final AtomicLong lastRequest = new AtomicLong();
    private final AtomicInteger waiting = new AtomicInteger();

    LockHandlers(LockService service, Granted granted, Opened opened) {
        this.service = service;
        this.granted = granted;
        this.opened = opened;
        service.onLost(this::lost);
    }

    /** What is open, by handle, and its pages. */
    interface Opened {
        @Nullable
        OpenFile find(long handle);

        /** The kernel is to ask again for what it has cached. Must not block. */
        void dropPages(long ino);
    }

    /** A lock is gone though nobody released it. Whoever holds it by now must not be disturbed by the one who believes to. */
    private void lost(HeldLock lock) {
        long ino = lock.inode();
        long owner = lock.owner().kernelOwner();
        List<Long> handles;
        if (lock.kind() == LockKind.POSIX) {
            handles = posixOwners.handlesOf(ino, owner);
        } else {
            Long handle = flockHandles.get(new PosixOwners.FileOwner(ino, owner));
            handles = handle == null ? List.of() : List.of(handle);
        }
        List<OpenFile> through =
                handles.stream().map(opened::find).filter(Objects::nonNull).toList();
        if (!through.isEmpty()) {
            lost.add(lock, through);
            opened.dropPages(ino);
        }
    }

    void getlk(Request rq, long ino, FileLock lock) {
        CompletableFuture<@Nullable HeldLock> answer = service.getlk(request(ino, lock));
        detachUnlessDone(rq, answer);
        var _ = answer.handle((found, failure) -> {
            if (failure != null) {
                rq.replyError(Errno.EIO);
            } else {
                rq.replyLock(found == null ? nothing(lock) : inTheWay(found));
            }
            return true;
        });
    }

    private static FileLock nothing(FileLock asked) {
        return new FileLock(asked.owner(), FileLock.UNLOCKED, asked.firstByte(), asked.lastByte(), 0, false);
    }

    /**
     * Process 0 for locks of other nodes: their process ids mean nothing here. File systems in the kernel (NFS, Lustre, DLM) show them as negative numbers; what comes
     * from FUSE the kernel takes for a process of this host, so that another number would name a stranger, or become 0 as well (convert_fuse_file_lock).
     */
    private FileLock inTheWay(HeldLock held) {
        boolean local = held.owner().session().equals(service.session());
        int type = held.mode() == LockMode.READ ? FileLock.READ : FileLock.WRITE;
        return new FileLock(
                held.owner().kernelOwner(), type, held.firstByte(), held.lastByte(), local ? held.pid() : 0, false);
    }

    /** Answers a request whose lock was granted. */
    interface Granted {
        void granted(Request rq, long ino);
    }

    void setlk(Request rq, long ino, long handle, FileLock lock, boolean wait) {
        if (lock.type() == FileLock.UNLOCKED) {
            CompletableFuture<LockResult> end =
                    service.unlock(ino, kind(lock), lock.owner(), lock.firstByte(), lock.lastByte());
            lost.unlocked(ino, kind(lock), lock.owner(), lock.firstByte(), lock.lastByte());
            reply(rq, end);
            return;
        }
        if (lost.has(ino, kind(lock), lock.owner())) {
            rq.replyError(Errno.EIO); // it believes to hold what it has lost: first it lets go
            return;
        }
        if (lock.flock()) {
            flockHandles.put(new PosixOwners.FileOwner(ino, lock.owner()), handle);
        } else {
            posixOwners.locking(ino, lock.owner(), handle);
        }
        LockRequest request = request(ino, lock);
        if (!wait) {
            replyLocked(rq, ino, service.setlk(lastRequest.incrementAndGet(), request, Waiting.NO));
        } else if (waiting.get() >= MAX_WAITING) {
            replyLocked(
                    rq,
                    ino,
                    service.setlk(lastRequest.incrementAndGet(), request, Waiting.NO)
                            .thenApply(end -> end == LockResult.CONFLICT ? LockResult.NO_LOCKS : end));
        } else {
            setlkWaiting(rq, request, Waiting.YES);
        }
    }

    private void setlkWaiting(Request rq, LockRequest request, Waiting mode) {
        long id = lastRequest.incrementAndGet();
        waiting.incrementAndGet();
        CompletableFuture<LockResult> end = service.setlk(id, request, mode);
        if (!end.isDone()) {
            rq.detach();
            rq.onInterrupt(() -> service.cancel(id));
        }
        var _ = end.handle((result, failure) -> {
            waiting.decrementAndGet();
            if (result == LockResult.DEADLOCK
                    && request.kind() == LockKind.POSIX
                    && LockCaller.isDescriptionLock(rq.pid())) {
                setlkWaiting(rq, request, Waiting.UNCHECKED);
            } else {
                answer(rq, request.inode(), result, failure);
            }
            return true;
        });
    }

    private void replyLocked(Request rq, long ino, CompletableFuture<LockResult> end) {
        detachUnlessDone(rq, end);
        var _ = end.handle((result, failure) -> {
            answer(rq, ino, result, failure);
            return true;
        });
    }

    private void answer(Request rq, long ino, @Nullable LockResult result, @Nullable Throwable failure) {
        if (result == LockResult.GRANTED) {
            granted.granted(rq, ino);
        } else {
            reply(rq, result, failure);
        }
    }

    /** First what the owner's locks demand, then {@code next}, which answers the request. */
    void flush(NodeVolume volume, Request rq, long ino, long owner, NodeVolume.Work next) {
        if (!posixOwners.flushed(ino, owner)) {
            volume.serveHere(rq, next);
            return;
        }
        CompletableFuture<LockResult> released = release(ino, LockKind.POSIX, owner);
        if (released.isDone()) {
            volume.serveHere(rq, next);
        } else {
            volume.serveElsewhere(rq, () -> {
                released.join();
                next.run();
            });
        }
    }

    /** The handle is gone; {@code flockOwner} had a flock lock by it. */
    void released(long ino, long handle, @Nullable Long flockOwner) {
        if (flockOwner != null) {
            flockHandles.remove(new PosixOwners.FileOwner(ino, flockOwner));
            var _ = release(ino, LockKind.FLOCK, flockOwner);
        }
        for (PosixOwners.FileOwner ended : posixOwners.released(handle)) {
            var _ = release(ended.ino(), LockKind.POSIX, ended.owner());
        }
    }

    private CompletableFuture<LockResult> release(long ino, LockKind kind, long owner) {
        CompletableFuture<LockResult> end = service.releaseOwner(ino, kind, owner)
                .exceptionally(failure -> {
                    LOG.error("locks on inode {} were not released", ino, failure);
                    return LockResult.LOST;
                });
        lost.released(ino, kind, owner);
        return end;
    }

    private LockRequest request(long ino, FileLock lock) {
        return new LockRequest(
                ino,
                kind(lock),
                new LockOwner(service.session(), lock.owner()),
                lock.pid(),
                lock.type() == FileLock.READ ? LockMode.READ : LockMode.WRITE,
                lock.firstByte(),
                lock.lastByte());
    }

    private static LockKind kind(FileLock lock) {
        return lock.flock() ? LockKind.FLOCK : LockKind.POSIX;
    }

    // ---- answers

    private static void detachUnlessDone(Request rq, CompletableFuture<?> answer) {
        if (!answer.isDone()) {
            rq.detach();
        }
    }

    private static void reply(Request rq, CompletableFuture<LockResult> end) {
        detachUnlessDone(rq, end);
        var _ = end.handle((result, failure) -> {
            reply(rq, result, failure);
            return true;
        });
    }

    private static void reply(Request rq, @Nullable LockResult result, @Nullable Throwable failure) {
        if (failure != null) {
            LOG.error("lock request {} failed", rq.unique(), failure);
            rq.replyError(Errno.EIO);
            return;
        }
        int errno = Failures.errno(Objects.requireNonNull(result));
        if (errno == 0) {
            rq.replyOk();
        } else {
            rq.replyError(errno);
        }
    }
}
