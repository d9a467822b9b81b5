package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What this daemon holds of a peer's bricks by one connection; all of it dies with that. Thread-safe. */
final class RemotePeer {
    private static final Logger LOG = LoggerFactory.getLogger(RemotePeer.class);

    /** Longer than a device takes to flush a table; if the peer is dead, the connection ends long before. */
    private static final long CALL_TIMEOUT_MS = 60_000;

    private final TcpConnection connection;
    private final LanePool lanes;
    private final Departing departing;

    /** Held while the target is asked: who connects next relies on its answer. */
    private final ReentrantLock succeeding = new ReentrantLock();

    /** Guarded by this, as is the rest. */
    private final Map<HandleKey, RemoteHandle> handles = new HashMap<>();

    private int mapsUnderWay;
    /** Killed before the answer to the MAP that made them was seen. */
    private final Set<HandleKey> killedEarly = new HashSet<>();

    private boolean ended;

    RemotePeer(TcpTransport transport, TcpConnection connection, Departing departing) {
        this.connection = connection;
        this.departing = departing;
        this.lanes = new LanePool(transport, connection);
    }

    /** Returns the answer from behind its header. */
    Answer call(BrickRequest request) throws BrickException {
        try {
            ByteBuffer answer = connection.call(TcpBricks.SERVICE, BrickCodec.encode(request), CALL_TIMEOUT_MS);
            return new Answer(BrickAnswers.takeAnswer(answer), answer);
        } catch (PeerException e) {
            boolean failed =
                    e.reason() == PeerException.Reason.FAILED || e.reason() == PeerException.Reason.BAD_REQUEST;
            throw failed ? new BrickException(Reason.IO, connection + ": " + e.getMessage(), e) : unreachable(e);
        } catch (ProtocolException e) {
            throw unreachable(e);
        }
    }

    /**
     * Makes the target forget connections that were lost: bytes may be on their way through its kernel still, and must not land on top
     * of what is written next.
     */
    void succeed() throws BrickException {
        succeeding.lock();
        try {
            departing.awaitDone();
            List<Ticket> lost = departing.lostOf(connection.peer());
            if (!lost.isEmpty()) {
                call(new BrickRequest.Forget(lost));
                departing.confirmed(connection.peer(), lost);
            }
        } finally {
            succeeding.unlock();
        }
    }

    void giveUp(String reason) {
        connection.end(reason);
    }

    record Answer(int number, ByteBuffer rest) {}

    BrickException unreachable(IOException e) {
        return new BrickException(Reason.UNREACHABLE, connection + ": " + e.getMessage(), e);
    }

    int run(LanePool.Operation operation) throws BrickException {
        try {
            return lanes.run(operation);
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    /** To be followed by {@link #mapped} or {@link #notMapped}. */
    synchronized void mapping() {
        mapsUnderWay++;
    }

    /** Returns those that are dead already. */
    synchronized List<RemoteHandle> mapped(List<RemoteHandle> made) {
        List<RemoteHandle> dead = new ArrayList<>(0);
        for (RemoteHandle handle : made) {
            if (ended || killedEarly.remove(handle.key())) {
                dead.add(handle);
            } else {
                handles.put(handle.key(), handle);
            }
        }
        notMapped();
        return dead;
    }

    synchronized void notMapped() {
        if (--mapsUnderWay == 0) {
            killedEarly.clear();
        }
    }

    synchronized void forget(RemoteHandle handle) {
        handles.remove(handle.key());
    }

    /** Those of one client, which are forgotten. */
    synchronized List<RemoteHandle> forgetAllOf(RemoteBrick client) {
        List<RemoteHandle> all =
                handles.values().stream().filter(h -> h.isOf(client)).toList();
        all.forEach(this::forget);
        return all;
    }

    synchronized void killed(Collection<HandleKey> keys) {
        List<RemoteHandle> dead = new ArrayList<>();
        List<HandleKey> toAnswer = new ArrayList<>();
        for (HandleKey key : keys) {
            RemoteHandle handle = handles.remove(key);
            if (handle != null && handle.kill(Reason.DEAD_HANDLE) && handle.isShared()) {
                dead.add(handle);
                toAnswer.add(key);
            } else if (handle == null && mapsUnderWay > 0) {
                killedEarly.add(key);
            }
        }
        departing.letGo(dead, () -> sayLetGo(toAnswer));
    }

    /** At most as many as one notice has. */
    void sayLetGo(List<HandleKey> keys) {
        try {
            connection.send(TcpBricks.SERVICE, new HandleNotice(HandleNotice.Kind.LET_GO, keys).encode());
        } catch (PeerException e) {
            LOG.debug("{}: all was let go of with it", connection, e);
        }
    }

    /** Idempotent. Does not wait; what is mapped is let go of soon. */
    synchronized void end() {
        if (!ended) {
            ended = true;
            departing.lost(connection.peer(), connection.ticket());
        }
        List<RemoteHandle> dead = new ArrayList<>();
        for (RemoteHandle handle : handles.values()) {
            if (handle.kill(Reason.UNREACHABLE) && handle.isShared()) {
                dead.add(handle);
            }
        }
        handles.clear();
        departing.letGo(dead, () -> {});
    }

    @Override
    public String toString() {
        return connection.toString();
    }
}
