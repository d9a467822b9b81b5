package io.tesserafs.fabric.brick;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Sees dead handles off: waits until nobody reaches bytes through them any more, and remembers those of which that is not so because
 * a process of the same host has the memory mapped. Thread-safe; waits under no lock of its own.
 */
final class Departures {
    private final List<KillListener> listeners = new CopyOnWriteArrayList<>();

    /** Guarded by itself. */
    private final Set<LocalHandle> heldOutside = new HashSet<>();

    void add(KillListener listener) {
        listeners.add(listener);
    }

    /** Waits, of which {@link #heldOf} tells the outcome. */
    void settle(Collection<LocalHandle> killed) {
        if (killed.isEmpty()) {
            return;
        }
        killed.forEach(LocalHandle::awaitIdle);
        Set<BlockHandle> held = new HashSet<>();
        for (KillListener listener : listeners) {
            held.addAll(listener.killed(List.copyOf(killed)));
        }
        synchronized (heldOutside) {
            for (LocalHandle handle : killed) {
                if (held.contains(handle)) {
                    heldOutside.add(handle);
                } else {
                    heldOutside.remove(handle);
                }
            }
        }
    }

    List<LocalHandle> heldOf(BlockId... blocks) {
        synchronized (heldOutside) {
            if (heldOutside.isEmpty()) {
                return List.of();
            }
            Set<BlockId> wanted = new HashSet<>(Arrays.asList(blocks));
            List<LocalHandle> held = new ArrayList<>(heldOutside);
            held.removeIf(handle -> !wanted.contains(handle.block()));
            return held;
        }
    }

    List<LocalHandle> heldOf(SessionId session) {
        synchronized (heldOutside) {
            List<LocalHandle> held = new ArrayList<>(heldOutside);
            held.removeIf(handle -> !handle.client().session().equals(session));
            return held;
        }
    }

    boolean anyHeld() {
        synchronized (heldOutside) {
            return !heldOutside.isEmpty();
        }
    }
}
