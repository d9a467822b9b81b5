package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Lets go of the memory of handles that died, on threads of its own, and knows whether all of it is done; and keeps which connections
 * were lost until the peer has confirmed that it has no use for what travelled on them. Thread-safe.
 */
final class Departing {
    /** Guarded by this. */
    private int underWay;

    /** Guarded by this. */
    private final Map<PeerId, List<Ticket>> lost = new HashMap<>();

    synchronized void lost(PeerId peer, Ticket connection) {
        // A peer that was restarted knows nothing of connections to its predecessor.
        lost.keySet().removeIf(other -> other.node() == peer.node() && !other.equals(peer));
        lost.computeIfAbsent(peer, p -> new ArrayList<>()).add(connection);
    }

    synchronized List<Ticket> lostOf(PeerId peer) {
        List<Ticket> all = lost.getOrDefault(peer, List.of());
        return List.copyOf(all.subList(0, Math.min(all.size(), BrickCodec.MAX_TICKETS)));
    }

    synchronized void confirmed(PeerId peer, List<Ticket> connections) {
        lost.computeIfPresent(peer, (p, all) -> all.removeAll(connections) && all.isEmpty() ? null : all);
    }

    /** Does not wait; {@code afterwards} runs when nobody reaches the handles' memory any more. */
    void letGo(Collection<RemoteHandle> dead, Runnable afterwards) {
        List<RemoteHandle> all = List.copyOf(dead);
        if (all.isEmpty()) {
            return;
        }
        synchronized (this) {
            underWay++;
        }
        Thread.startVirtualThread(() -> {
            try {
                all.forEach(RemoteHandle::letGo);
                afterwards.run();
            } finally {
                synchronized (this) {
                    underWay--;
                    notifyAll();
                }
            }
        });
    }

    /** Waits until all that was begun before is done. Each is a matter of operations that end by themselves. */
    synchronized void awaitDone() {
        boolean interrupted = false;
        while (underWay > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true; // a promise to the peer depends on it
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
