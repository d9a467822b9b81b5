package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.KillListener;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The passive ends of peers' queue pairs, each until it is destroyed, so that whoever revokes a handle finds all by which it may still be
 * reached. Those of a peer end with its connection. Thread-safe.
 */
final class TargetQueuePairs implements KillListener {
    private static final Logger LOG = LoggerFactory.getLogger(TargetQueuePairs.class);

    /** Of one peer; sessions times bricks, with room. */
    private static final int MAX_QUEUE_PAIRS = 1024;

    private final Consumer<TargetQueuePair> onEnd;
    private final BiPredicate<BrickId, SessionId> fenced;
    private final ConcurrentMap<Connection, ConcurrentMap<Integer, TargetQueuePair>> peers = new ConcurrentHashMap<>();

    /**
     * @param onEnd before one is closed: nobody may connect to it any more
     * @param fenced whether a session was fenced on a brick
     */
    TargetQueuePairs(Consumer<TargetQueuePair> onEnd, BiPredicate<BrickId, SessionId> fenced) {
        this.onEnd = onEnd;
        this.fenced = fenced;
    }

    /** Returns false if the peer has too many. */
    boolean add(Connection from, TargetQueuePair one) {
        boolean[] added = new boolean[1];
        peers.compute(from, (connection, known) -> {
            ConcurrentMap<Integer, TargetQueuePair> mine = known == null ? new ConcurrentHashMap<>() : known;
            if (mine.size() < MAX_QUEUE_PAIRS) {
                mine.put(one.number(), one);
                added[0] = true;
            }
            return mine;
        });
        return added[0];
    }

    @Nullable
    TargetQueuePair find(Connection from, int number) {
        Map<Integer, TargetQueuePair> mine = peers.get(from);
        return mine == null ? null : mine.get(number);
    }

    /** Returns those that a device may still reach: none, but for a failure. */
    @Override
    public List<BlockHandle> killed(List<BlockHandle> dead) {
        List<BlockHandle> reachable = new ArrayList<>();
        for (BlockHandle handle : dead) {
            if (!isTakenBack(handle)) {
                reachable.add(handle);
            }
        }
        return reachable;
    }

    /** Of the queue pairs of the handle's session only: no other has a key to it, and another's may be slow. */
    private boolean isTakenBack(BlockHandle handle) {
        HandleKey key = LocalBrick.key(handle);
        SessionId session = LocalBrick.session(handle);
        boolean withQueuePair = fenced.test(handle.brick(), session);
        boolean done = true;
        for (Map<Integer, TargetQueuePair> ofPeer : peers.values()) {
            for (TargetQueuePair one : ofPeer.values()) {
                if (one.session().equals(session)) {
                    done &= isTakenBack(handle, key, one, withQueuePair);
                }
            }
        }
        return done;
    }

    private static boolean isTakenBack(BlockHandle handle, HandleKey key, TargetQueuePair one, boolean withQueuePair) {
        try {
            if (withQueuePair) {
                one.closeIfReaching(key);
            } else {
                one.invalidate(key);
            }
            return true;
        } catch (IOException | RuntimeException e) {
            LOG.error("{}: the key of {} cannot be taken back", handle, one, e);
            return false;
        }
    }

    /** Idempotent, as is the next. */
    void end(Connection from, int number) {
        ConcurrentMap<Integer, TargetQueuePair> mine = peers.get(from);
        TargetQueuePair one = mine == null ? null : mine.get(number);
        if (mine != null && one != null) {
            end(mine, one);
        }
        removeIfOver(from);
    }

    /** After the connection has ended. Does not wait. */
    void endAll(Connection from) {
        ConcurrentMap<Integer, TargetQueuePair> mine = peers.get(from);
        if (mine != null) {
            Thread.startVirtualThread(() -> {
                mine.values().forEach(one -> end(mine, one));
                removeIfOver(from);
            });
        }
    }

    /** Returns when all are destroyed that can be. */
    void close() {
        peers.forEach((from, mine) -> mine.values().forEach(one -> end(mine, one)));
    }

    /** One that is being destroyed, or cannot be, is still to be found. */
    private void end(ConcurrentMap<Integer, TargetQueuePair> mine, TargetQueuePair one) {
        onEnd.accept(one);
        try {
            one.close();
            mine.remove(one.number(), one);
        } catch (IOException | RuntimeException e) {
            LOG.error("{} cannot be ended: {}", one, e.getMessage());
        }
    }

    /** Another may be on its way in as long as the connection is open. */
    private void removeIfOver(Connection from) {
        if (!from.isOpen()) {
            peers.computeIfPresent(from, (connection, mine) -> mine.isEmpty() ? null : mine);
        }
    }
}
