package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LockRequest;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Carries out lock calls of one session at the volume's owner. Thread-safe. */
final class LockServer {
    /** An answer to AWAIT comes at the latest after this, so that no call is under way for ever. */
    private static final long AWAIT_MS = 5_000;

    private final OwnedVolume volume;
    private final SessionId session;
    private final LockService locks;
    private final Map<Long, CompletableFuture<LockResult>> waiting = new ConcurrentHashMap<>();

    LockServer(OwnedVolume volume, SessionId session) {
        this.volume = volume;
        this.session = session;
        this.locks = volume.locks().service(session);
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
            case LOCK_AWAIT -> LockWire.result(out, await(in.i64()));
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
        CompletableFuture<LockResult> end = locks.setlk(id, request, mode);
        if (!end.isDone()) {
            waiting.put(id, end);
        }
        LockWire.result(out, end.getNow(LockResult.QUEUED));
    }

    private LockResult await(long id) throws InterruptedException {
        CompletableFuture<LockResult> end = waiting.get(id);
        if (end == null) {
            return LockResult.LOST; // asked of another owner, which is gone: it is to be asked anew
        }
        try {
            LockResult result = end.get(AWAIT_MS, TimeUnit.MILLISECONDS);
            waiting.remove(id);
            return result;
        } catch (TimeoutException e) {
            return LockResult.QUEUED;
        } catch (ExecutionException e) {
            waiting.remove(id);
            return LockResult.LOST;
        }
    }
}
