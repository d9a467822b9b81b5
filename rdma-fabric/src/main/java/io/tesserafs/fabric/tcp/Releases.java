package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Dead handles with mapped memory whose holders have not let go yet, as far as is known here. A holder is done with one when it says
 * so, be it by another connection, or when it is dead. Thread-safe.
 */
final class Releases {
    private static final Logger LOG = LoggerFactory.getLogger(Releases.class);

    /** How often it is looked whether a holder has died. */
    private static final long LOOK_MS = 20;

    private final long waitMs;

    /** Guarded by this. */
    private final Map<HandleKey, Pending> pending = new HashMap<>();

    private record Pending(HostProcess holder, TcpConnection connection, BrickClient client) {}

    /** @param waitMs how long who kills handles waits for their holders, at most */
    Releases(long waitMs) {
        this.waitMs = waitMs;
    }

    synchronized void expect(HandleKey key, HostProcess holder, TcpConnection connection, BrickClient client) {
        pending.put(key, new Pending(holder, connection, client));
    }

    synchronized void letGo(Connection from, Collection<HandleKey> keys) {
        for (HandleKey key : keys) {
            Pending one = pending.get(key);
            if (one != null && one.connection.equals(from)) {
                pending.remove(key);
            }
        }
        notifyAll();
    }

    /** A peer has let go of all that it held through a client. */
    synchronized void letGo(BrickClient client) {
        pending.values().removeIf(one -> one.client.equals(client));
        notifyAll();
    }

    /** A peer has let go of all that it held by connections that it lost. */
    synchronized void letGo(PeerId peer, List<Ticket> connections) {
        pending.values()
                .removeIf(one -> one.connection.peer().equals(peer) && connections.contains(one.connection.ticket()));
        notifyAll();
    }

    /** Waits for the holders. Returns those that may still be reached. */
    List<BlockHandle> await(List<BlockHandle> dead) {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(waitMs);
        boolean interrupted = false;
        List<BlockHandle> held = held(dead);
        while (!held.isEmpty() && System.nanoTime() < deadlineNs) {
            try {
                synchronized (this) {
                    if (!held(held).isEmpty()) {
                        wait(LOOK_MS);
                    }
                }
            } catch (InterruptedException e) {
                interrupted = true; // what the caller is about to do is only safe after this
            }
            forgetTheDead(held);
            held = held(held);
        }
        if (!held.isEmpty()) {
            warn(held);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return held;
    }

    private synchronized List<BlockHandle> held(List<BlockHandle> dead) {
        List<BlockHandle> held = new ArrayList<>(0);
        for (BlockHandle handle : dead) {
            if (pending.containsKey(LocalBrick.key(handle))) {
                held.add(handle);
            }
        }
        return held;
    }

    private void forgetTheDead(List<BlockHandle> held) {
        Map<HostProcess, Boolean> alive = new HashMap<>();
        for (BlockHandle handle : held) {
            HandleKey key = LocalBrick.key(handle);
            Pending one;
            synchronized (this) {
                one = pending.get(key);
            }
            if (one != null && !alive.computeIfAbsent(one.holder, Releases::isAlive)) {
                synchronized (this) {
                    pending.remove(key);
                }
            }
        }
    }

    private static boolean isAlive(HostProcess holder) {
        try {
            return holder.isAlive();
        } catch (IOException e) {
            LOG.warn("{} cannot be examined, so it is taken for alive: {}", holder, e.getMessage());
            return true;
        }
    }

    private synchronized void warn(List<BlockHandle> held) {
        Pending one = pending.get(LocalBrick.key(held.getFirst()));
        if (one != null) {
            LOG.warn(
                    "{} of {} has not let go of {} blocks of brick {}; if it hangs, kill it",
                    one.holder,
                    one.connection,
                    held.size(),
                    held.getFirst().brick());
        }
    }
}
