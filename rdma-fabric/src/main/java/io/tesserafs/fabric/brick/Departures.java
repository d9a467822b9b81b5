package io.tesserafs.fabric.brick;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/**
 * Sees dead handles off: waits until nobody reaches bytes through them any more, and remembers those of which that is not so because
 * a process of the same host has the memory mapped, or a device cannot be told. Until that is known a handle is {@link #leave leaving}; who needs it gone
 * waits for the thread that sees it off. Thread-safe; waits under no lock of its own.
 */
final class Departures {
    private final List<KillListener> listeners = new CopyOnWriteArrayList<>();

    /** Guarded by this, as is the next. */
    private final Set<LocalHandle> heldOutside = new HashSet<>();

    private final Set<LocalHandle> leaving = new HashSet<>();

    void add(KillListener listener) {
        listeners.add(listener);
    }

    /** Notes that the caller will {@link #settle} these. Under the lock under which it took them out of the table, so that nobody misses them. */
    synchronized void leave(Collection<LocalHandle> killed) {
        leaving.addAll(killed);
    }

    /** Waits, of which {@link #heldOf} tells the outcome. */
    void settle(Collection<LocalHandle> killed) {
        if (killed.isEmpty()) {
            return;
        }
        Set<BlockHandle> held = new HashSet<>(killed); // until all have said otherwise
        try {
            killed.forEach(LocalHandle::awaitIdle);
            Set<BlockHandle> reached = new HashSet<>();
            for (KillListener listener : listeners) {
                reached.addAll(listener.killed(List.copyOf(killed)));
            }
            held = reached;
        } finally {
            settled(killed, held);
        }
    }

    private synchronized void settled(Collection<LocalHandle> killed, Set<BlockHandle> held) {
        for (LocalHandle handle : killed) {
            leaving.remove(handle);
            if (held.contains(handle)) {
                heldOutside.add(handle);
            } else {
                heldOutside.remove(handle);
            }
        }
        notifyAll();
    }

    /** Returns when none of these is leaving any more. Not by a thread that is to settle one of them. */
    synchronized void await(Predicate<LocalHandle> which) {
        boolean interrupted = false;
        while (leaving.stream().anyMatch(which)) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true; // who sees them off waits for a limited time
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    synchronized List<LocalHandle> heldOf(BlockId... blocks) {
        if (heldOutside.isEmpty()) {
            return List.of();
        }
        Set<BlockId> wanted = new HashSet<>(Arrays.asList(blocks));
        List<LocalHandle> held = new ArrayList<>(heldOutside);
        held.removeIf(handle -> !wanted.contains(handle.block()));
        return held;
    }

    synchronized List<LocalHandle> heldOf(SessionId session) {
        List<LocalHandle> held = new ArrayList<>(heldOutside);
        held.removeIf(handle -> !handle.client().session().equals(session));
        return held;
    }

    synchronized boolean anyHeld() {
        return !heldOutside.isEmpty();
    }
}
