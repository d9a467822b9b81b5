package io.tesserafs.node.data;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LockKind;
import io.tesserafs.coherence.lock.LockOwner;
import io.tesserafs.coherence.lock.NodeLocks;
import io.tesserafs.fabric.brick.SessionId;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Locks that applications believe to hold and do not any more. Who goes on would trample on what another has locked now; so open files through which such
 * locks were taken answer EIO until these are released, or the files closed: as the NFS client of Linux does. Thread-safe; blocks for nothing but itself.
 */
final class LostLocks {
    /** Owners are told apart by what the kernel calls them: those of a session before are still the same processes. */
    private record Owner(long ino, LockKind kind, long owner) {}

    private static final SessionId ANY = new SessionId(1);

    /** By owner, each as if of one session. Guarded by this, as is the next. */
    private final NodeLocks lost = new NodeLocks();

    private final Map<Owner, Set<OpenFile>> files = new HashMap<>();
    /** Whether there are any: looked at without the monitor, since there usually are none. */
    private volatile boolean any;

    /** @param through the open files by which the owner took locks of the file, or may have */
    synchronized void add(HeldLock lock, Collection<OpenFile> through) {
        LockOwner anyOwner = new LockOwner(ANY, lock.owner().kernelOwner());
        lost.set(new HeldLock(
                        lock.inode(), lock.kind(), anyOwner, lock.pid(), lock.mode(), lock.firstByte(), lock.lastByte())
                .asRequest());
        Set<OpenFile> concerned = files.computeIfAbsent(
                new Owner(lock.inode(), lock.kind(), lock.owner().kernelOwner()), key -> new HashSet<>());
        for (OpenFile file : through) {
            if (concerned.add(file)) {
                file.countLostLocks(1);
            }
        }
        any = true;
    }

    /** Whether the owner has lost locks of the file and not released them. */
    boolean has(long ino, LockKind kind, long owner) {
        if (!any) {
            return false;
        }
        synchronized (this) {
            return files.containsKey(new Owner(ino, kind, owner));
        }
    }

    /** The owner has released a range. */
    void unlocked(long ino, LockKind kind, long owner, long firstByte, long lastByte) {
        if (any) {
            synchronized (this) {
                LockOwner anyOwner = new LockOwner(ANY, owner);
                lost.unlock(ino, kind, anyOwner, firstByte, lastByte);
                if (!lost.holds(ino, kind, anyOwner)) {
                    forget(new Owner(ino, kind, owner));
                }
            }
        }
    }

    /** The owner has released all it had of the file. */
    void released(long ino, LockKind kind, long owner) {
        unlocked(ino, kind, owner, 0, Long.MAX_VALUE);
    }

    private void forget(Owner owner) {
        Set<OpenFile> concerned = files.remove(owner);
        if (concerned != null) {
            concerned.forEach(file -> file.countLostLocks(-1));
        }
        any = !files.isEmpty();
    }
}
