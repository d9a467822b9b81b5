package io.tesserafs.fabric.brick;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The live handles of a brick, by key, block and session. Not thread-safe. A handle that leaves is killed. */
final class HandleTable {
    private final Map<HandleKey, LocalHandle> byKey = new HashMap<>();
    private final Map<BlockId, Set<LocalHandle>> byBlock = new HashMap<>();
    private final Map<SessionId, Set<LocalHandle>> bySession = new HashMap<>();

    void add(LocalHandle handle) {
        if (byKey.putIfAbsent(handle.key(), handle) != null) {
            throw new IllegalStateException("the random source repeats itself");
        }
        byBlock.computeIfAbsent(handle.block(), k -> new HashSet<>(2)).add(handle);
        bySession
                .computeIfAbsent(handle.client().session(), k -> new HashSet<>())
                .add(handle);
    }

    /** Returns false if it was not there. */
    boolean remove(LocalHandle handle) {
        if (!byKey.remove(handle.key(), handle)) {
            return false;
        }
        removeFrom(byBlock, handle.block(), handle);
        removeFrom(bySession, handle.client().session(), handle);
        handle.kill();
        return true;
    }

    List<LocalHandle> removeAllOf(BlockId block) {
        return removeAll(byBlock.get(block), h -> true);
    }

    List<LocalHandle> removeAllOf(SessionId session) {
        return removeAll(bySession.get(session), h -> true);
    }

    List<LocalHandle> removeAllOf(LocalClient client) {
        return removeAll(bySession.get(client.session()), h -> h.client() == client);
    }

    List<LocalHandle> removeAll() {
        return removeAll(new HashSet<>(byKey.values()), h -> true);
    }

    private List<LocalHandle> removeAll(@Nullable Set<LocalHandle> some, Predicate<LocalHandle> which) {
        if (some == null) {
            return List.of();
        }
        List<LocalHandle> gone = new ArrayList<>(some.size());
        for (LocalHandle handle : List.copyOf(some)) {
            if (which.test(handle) && remove(handle)) {
                gone.add(handle);
            }
        }
        return gone;
    }

    private static <K> void removeFrom(Map<K, Set<LocalHandle>> map, K key, LocalHandle handle) {
        Set<LocalHandle> set = map.get(key);
        if (set != null && set.remove(handle) && set.isEmpty()) {
            map.remove(key);
        }
    }
}
