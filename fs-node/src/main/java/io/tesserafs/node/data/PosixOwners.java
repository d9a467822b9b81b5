package io.tesserafs.node.data;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which owners may hold POSIX locks of which files, and by which handles they took them, so that a close that ends no lock costs nothing. Knows no
 * ranges: an owner stays until it is flushed, or the handle is gone, even if it has unlocked everything. Thread-safe.
 */
final class PosixOwners {
    record FileOwner(long ino, long owner) {}

    /** Written under the monitor; read without by {@link #flushed}. */
    private final ConcurrentHashMap<FileOwner, Set<Long>> handles = new ConcurrentHashMap<>();
    /** The same the other way round; guarded by this. */
    private final Map<Long, Set<FileOwner>> owners = new HashMap<>();

    /** Before the lock is asked for. */
    synchronized void locking(long ino, long owner, long handle) {
        FileOwner key = new FileOwner(ino, owner);
        if (handles.computeIfAbsent(key, k -> new HashSet<>(2)).add(handle)) {
            owners.computeIfAbsent(handle, h -> new HashSet<>(2)).add(key);
        }
    }

    /** By which handles the owner may have taken the locks that it holds. */
    synchronized List<Long> handlesOf(long ino, long owner) {
        return List.copyOf(handles.getOrDefault(new FileOwner(ino, owner), Set.of()));
    }

    /** The owner closed the file somehow. True if it may hold locks of it, which end now. */
    boolean flushed(long ino, long owner) {
        FileOwner key = new FileOwner(ino, owner);
        return handles.containsKey(key) && remove(key);
    }

    private synchronized boolean remove(FileOwner key) {
        Set<Long> by = handles.remove(key);
        if (by == null) {
            return false;
        }
        for (long handle : by) {
            owners.computeIfPresent(handle, (h, keys) -> {
                keys.remove(key);
                return keys.isEmpty() ? null : keys;
            });
        }
        return true;
    }

    /** The handle is gone: who took locks by it and was not flushed since, and is forgotten now. */
    synchronized List<FileOwner> released(long handle) {
        Set<FileOwner> keys = owners.remove(handle);
        if (keys == null) {
            return List.of();
        }
        List<FileOwner> ended = new ArrayList<>(keys);
        ended.forEach(this::remove);
        return ended;
    }

    int count() {
        return handles.size();
    }
}
