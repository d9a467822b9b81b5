package io.tesserafs.coherence.lock;

import io.tesserafs.fabric.brick.SessionId;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A node's way to the lock table of a volume, within one session. Thread-safe; nothing blocks.
 *
 * <p>Calls take effect in the order they are made. Futures may be complete when a call returns, or be completed later by any thread; what depends
 * on them must not block. Requests carry owners of this session.
 */
public interface LockService {
    /** What a request does that cannot be granted at once. */
    enum Waiting {
        /** Ends with CONFLICT. */
        NO,
        /** Waits, unless that would close a circle of waiting owners. */
        YES,
        /** Waits in any case. */
        UNCHECKED
    }

    SessionId session();

    /** The lock that stands in the way; null if there is none. Fails with {@link LostLocksException} if the owner cannot be asked. */
    CompletableFuture<@Nullable HeldLock> getlk(LockRequest request);

    /**
     * Locks. Ends with any result but QUEUED.
     *
     * @param requestId names a request that waits, for {@link #cancel}; not used twice in a session
     */
    CompletableFuture<LockResult> setlk(long requestId, LockRequest request, Waiting waiting);

    /** Unlocks a range, {@code lastByte} included. Ends with GRANTED, NO_LOCKS or LOST. */
    CompletableFuture<LockResult> unlock(long inode, LockKind kind, long kernelOwner, long firstByte, long lastByte);

    /** Drops all that the owner holds of the file. Ends with GRANTED or LOST. */
    CompletableFuture<LockResult> releaseOwner(long inode, LockKind kind, long kernelOwner);

    /**
     * The listener hears of each lock that was granted and is held no more, though nobody released it: the session is over, or a new owner of the volume
     * gave it to somebody else. Called before anything that could follow from it, say a release of the same lock, is heard; must not block or call back.
     */
    void onLost(Consumer<HeldLock> listener);

    /** A request that waits ends with INTERRUPTED, also if it comes only after this; one that has ended is left as it ended. */
    void cancel(long requestId);
}
