package io.tesserafs.coherence.lock;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The locks of one kind on one file, and who waits for some, in the order they came. Part of {@link LockTable}. */
final class FileLocks {
    /** The file and the kind. */
    record Key(long inode, LockKind kind) {}

    /** A request that waits. */
    record Waiter(long requestId, LockRequest request, boolean checksDeadlock) {
        SessionId session() {
            return request.owner().session();
        }
    }

    final Key key;
    /** Owners that hold something. */
    final Map<LockOwner, OwnerRanges> held = new LinkedHashMap<>();

    final List<Waiter> queue = new ArrayList<>();
    /** Sum of what {@link #held} counts. */
    int ranges;

    FileLocks(Key key) {
        this.key = key;
    }

    boolean isUnused() {
        return held.isEmpty() && queue.isEmpty();
    }

    boolean conflicts(LockRequest request) {
        for (Map.Entry<LockOwner, OwnerRanges> entry : held.entrySet()) {
            if (conflict(entry, request) != null) {
                return true;
            }
        }
        return false;
    }

    /** Owners whose locks stand in the way of the request. */
    List<LockOwner> blockers(LockRequest request) {
        List<LockOwner> blockers = new ArrayList<>();
        for (Map.Entry<LockOwner, OwnerRanges> entry : held.entrySet()) {
            if (conflict(entry, request) != null) {
                blockers.add(entry.getKey());
            }
        }
        return blockers;
    }

    private static @Nullable LockedRange conflict(Map.Entry<LockOwner, OwnerRanges> entry, LockRequest request) {
        return entry.getKey().equals(request.owner())
                ? null
                : entry.getValue().conflict(request.firstByte(), request.lastByte(), request.mode());
    }

    /** Of the locks in the way of the request, the one that begins first in the file. */
    @Nullable
    HeldLock firstConflict(LockRequest request) {
        LockOwner owner = null;
        LockedRange first = null;
        for (Map.Entry<LockOwner, OwnerRanges> entry : held.entrySet()) {
            LockedRange found = conflict(entry, request);
            if (found != null && (first == null || found.firstByte() < first.firstByte())) {
                owner = entry.getKey();
                first = found;
            }
        }
        return owner == null || first == null ? null : lock(owner, first);
    }

    /** True if one of those who came earlier wants something that conflicts with the request. */
    static boolean conflictsWithWaiter(List<Waiter> earlier, LockRequest request) {
        for (Waiter waiter : earlier) {
            LockRequest other = waiter.request();
            if (other.mode().conflictsWith(request.mode())
                    && LockedRange.overlap(other.firstByte(), other.lastByte(), request.firstByte(), request.lastByte())
                    && !other.owner().equals(request.owner())) {
                return true;
            }
        }
        return false;
    }

    void collect(LockOwner owner, List<HeldLock> into) {
        OwnerRanges own = held.get(owner);
        if (own != null) {
            own.all().forEach(range -> into.add(lock(owner, range)));
        }
    }

    private HeldLock lock(LockOwner owner, LockedRange range) {
        return new HeldLock(
                key.inode(), key.kind(), owner, range.pid(), range.mode(), range.firstByte(), range.lastByte());
    }
}
