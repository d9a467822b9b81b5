package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LockKind;
import io.tesserafs.coherence.lock.LockMode;
import io.tesserafs.coherence.lock.LockOwner;
import io.tesserafs.coherence.lock.LockRequest;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.lock.LockService.Waiting;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.util.List;

/** How locks travel, as arguments and results in the manner of {@link VolumeWire}. Positions in the lists are codes on the wire. */
final class LockWire {
    private static final List<LockKind> KINDS = List.of(LockKind.POSIX, LockKind.FLOCK);
    private static final List<LockMode> MODES = List.of(LockMode.READ, LockMode.WRITE);
    private static final List<Waiting> WAITINGS = List.of(Waiting.NO, Waiting.YES, Waiting.UNCHECKED);
    private static final List<LockResult> RESULTS = List.of(
            LockResult.GRANTED,
            LockResult.CONFLICT,
            LockResult.QUEUED,
            LockResult.DEADLOCK,
            LockResult.NO_LOCKS,
            LockResult.INTERRUPTED,
            LockResult.LOST);
    /** Bytes of one lock. */
    static final int LOCK_BYTES = 46;

    private LockWire() {}

    private static <T> T pick(List<T> codes, int code) throws MalformedException {
        if (code >= codes.size()) {
            throw new MalformedException("code " + code + " where there are " + codes.size());
        }
        return codes.get(code);
    }

    static void kind(WireOut out, LockKind kind) {
        out.u8(KINDS.indexOf(kind));
    }

    static LockKind kind(WireIn in) throws MalformedException {
        return pick(KINDS, in.u8());
    }

    static void waiting(WireOut out, Waiting waiting) {
        out.u8(WAITINGS.indexOf(waiting));
    }

    static Waiting waiting(WireIn in) throws MalformedException {
        return pick(WAITINGS, in.u8());
    }

    static void result(WireOut out, LockResult result) {
        out.u8(code(result));
    }

    static int code(LockResult result) {
        return RESULTS.indexOf(result);
    }

    static LockResult result(WireIn in) throws MalformedException {
        return pick(RESULTS, in.u8());
    }

    static void request(WireOut out, LockRequest r) {
        out.i64(r.inode());
        kind(out, r.kind());
        out.i64(r.owner().session().value()).i64(r.owner().kernelOwner()).i32(r.pid());
        out.u8(MODES.indexOf(r.mode()));
        out.i64(r.firstByte()).i64(r.lastByte());
    }

    static LockRequest request(WireIn in) throws MalformedException {
        try {
            return new LockRequest(
                    in.i64(),
                    kind(in),
                    new LockOwner(new SessionId(in.i64()), in.i64()),
                    in.i32(),
                    pick(MODES, in.u8()),
                    in.i64(),
                    in.i64());
        } catch (IllegalArgumentException e) {
            throw new MalformedException(String.valueOf(e.getMessage()));
        }
    }

    static HeldLock held(WireIn in) throws MalformedException {
        LockRequest r = request(in);
        return new HeldLock(r.inode(), r.kind(), r.owner(), r.pid(), r.mode(), r.firstByte(), r.lastByte());
    }
}
