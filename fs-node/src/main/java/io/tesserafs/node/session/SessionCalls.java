package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LockRequest;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/** Calls that concern one session at the volume's owner: its file locks, and inodes without names that it lets go of. Thread-safe. */
final class SessionCalls {
    private final OwnedVolume volume;
    private final SessionId session;
    private final LockService locks;
    private final Offers offers;
    private final Set<Long> waiting = ConcurrentHashMap.newKeySet();

    SessionCalls(OwnedVolume volume, SessionId session) {
        this.volume = volume;
        this.session = session;
        this.locks = volume.locks().service(session);
        this.offers = new Offers(volume.tokens(), session);
    }

    Offers offers() {
        return offers;
    }

    /** False if the operation is none of these. */
    boolean run(VolumeWire.Op op, WireIn in, WireOut out) throws MalformedException, InterruptedException {
        switch (op) {
            case LOCK_GET -> {
                HeldLock blocker = locks.getlk(request(in)).join();
                out.flag(blocker != null);
                if (blocker != null) {
                    LockWire.request(out, blocker.asRequest());
                }
            }
            case LOCK_SET -> set(in, out);
            case UNREFERENCED -> {
                int count = in.count(Long.BYTES);
                for (int i = 0; i < count; i++) {
                    volume.unreferenced(session, in.i64());
                }
            }
            case LOCK_CANCEL -> locks.cancel(in.i64());
            case LOCK_UNLOCK ->
                LockWire.result(
                        out,
                        locks.unlock(in.i64(), LockWire.kind(in), in.i64(), in.i64(), in.i64())
                                .join());
            case LOCK_RELEASE ->
                LockWire.result(
                        out,
                        locks.releaseOwner(in.i64(), LockWire.kind(in), in.i64())
                                .join());
            case LOCK_RESTORE -> {
                int count = in.count(LockWire.LOCK_BYTES);
                for (int i = 0; i < count; i++) {
                    HeldLock lock = LockWire.held(in);
                    check(lock.owner().session());
                    LockWire.result(out, volume.locks().restore(lock).join());
                }
                volume.restored(session);
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private LockRequest request(WireIn in) throws MalformedException {
        LockRequest request = LockWire.request(in);
        check(request.owner().session());
        return request;
    }

    private void check(SessionId claimed) throws MalformedException {
        if (!claimed.equals(session)) {
            throw new MalformedException("session " + session + " speaks for " + claimed);
        }
    }

    private void set(WireIn in, WireOut out) throws MalformedException, InterruptedException {
        long id = in.i64();
        LockRequest request = request(in);
        LockService.Waiting mode = LockWire.waiting(in);
        volume.awaitOpen();
        if (!waiting.add(id)) { // asked again after the connection was lost
            LockWire.result(out, LockResult.QUEUED);
            return;
        }
        CompletableFuture<LockResult> end = locks.setlk(id, request, mode);
        LockResult now = end.getNow(LockResult.QUEUED);
        LockWire.result(out, now);
        if (now == LockResult.QUEUED) {
            var _ = end.whenComplete((result, failure) -> {
                waiting.remove(id);
                volume.lockEnded(session, id, failure == null ? result : LockResult.LOST);
            });
        } else {
            waiting.remove(id);
        }
    }
}
