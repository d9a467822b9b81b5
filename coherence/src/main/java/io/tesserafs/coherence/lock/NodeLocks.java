package io.tesserafs.coherence.lock;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Locks of one node, as the node itself notes them: ranges by file and owner. Conflicts are the business of the volume's {@link LockTable}; here notes of
 * different owners may overlap, since a node hears of its grants and makes its releases in no common order. Not thread-safe.
 */
public final class NodeLocks {
    private record Key(long inode, LockKind kind, LockOwner owner) {}

    private final Map<Key, OwnerRanges> held = new HashMap<>();

    /** Notes a lock, in place of what the owner held of that range. */
    public void set(LockRequest lock) {
        OwnerRanges own =
                held.computeIfAbsent(new Key(lock.inode(), lock.kind(), lock.owner()), key -> new OwnerRanges());
        own.apply(own.plan(lock.firstByte(), lock.lastByte(), lock.mode(), lock.pid()));
    }

    /** A flock lock is about to change its mode, for which it may have to be given up first: so it is, here, until it is set again. */
    public void convert(LockRequest request) {
        Key key = new Key(request.inode(), request.kind(), request.owner());
        OwnerRanges own = held.get(key);
        if (own != null && own.all().stream().anyMatch(range -> range.mode() != request.mode())) {
            held.remove(key);
        }
    }

    public void unlock(long inode, LockKind kind, LockOwner owner, long firstByte, long lastByte) {
        held.computeIfPresent(new Key(inode, kind, owner), (key, own) -> {
            own.apply(own.plan(firstByte, lastByte, null, 0));
            return own.isEmpty() ? null : own;
        });
    }

    public void release(long inode, LockKind kind, LockOwner owner) {
        held.remove(new Key(inode, kind, owner));
    }

    /** Whether the owner holds anything of the file. */
    public boolean holds(long inode, LockKind kind, LockOwner owner) {
        return held.containsKey(new Key(inode, kind, owner));
    }

    /** Strikes a lock off; false if nothing of it was noted any more. */
    public boolean take(HeldLock lock) {
        OwnerRanges own = held.get(new Key(lock.inode(), lock.kind(), lock.owner()));
        boolean any =
                own != null && own.all().stream().anyMatch(range -> range.overlaps(lock.firstByte(), lock.lastByte()));
        if (any) {
            unlock(lock.inode(), lock.kind(), lock.owner(), lock.firstByte(), lock.lastByte());
        }
        return any;
    }

    /** What is noted of a session, by inode and place. */
    public List<HeldLock> held(SessionId session) {
        return collect(key -> key.owner.session().equals(session));
    }

    /** Strikes off what is noted of a session, and returns it. */
    public List<HeldLock> endSession(SessionId session) {
        List<HeldLock> ended = held(session);
        held.keySet().removeIf(key -> key.owner.session().equals(session));
        return ended;
    }

    private List<HeldLock> collect(Predicate<Key> which) {
        List<HeldLock> locks = new ArrayList<>();
        held.forEach((key, own) -> {
            if (which.test(key)) {
                own.all()
                        .forEach(range -> locks.add(new HeldLock(
                                key.inode,
                                key.kind,
                                key.owner,
                                range.pid(),
                                range.mode(),
                                range.firstByte(),
                                range.lastByte())));
            }
        });
        locks.sort(Comparator.comparingLong(HeldLock::inode)
                .thenComparing(HeldLock::kind)
                .thenComparingLong(HeldLock::firstByte)
                .thenComparingLong(lock -> lock.owner().kernelOwner()));
        return locks;
    }
}
