package io.tesserafs.coherence.volume;

import io.tesserafs.coherence.membership.ClusterClient;
import io.tesserafs.coherence.membership.Incarnation;
import io.tesserafs.coherence.membership.MembershipException;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.Znodes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.Participant;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's candidacy for one volume, by Curator's LeaderLatch.
 *
 * <p>Being elected is not enough to own the volume: the winner first raises the epoch, in a transaction that also checks that
 * its latch entry still exists, so that a candidate which was deposed meanwhile cannot raise it. Epochs only grow, and
 * everything an owner does elsewhere (manifest, log segments, fences on bricks) carries its epoch. The latch therefore makes one
 * owner <em>likely</em>, the epoch makes two owners <em>harmless</em>.
 *
 * <p>That is also why a restarted node may delete the latch entry that its previous incarnation left behind, instead of waiting for
 * ZooKeeper's session timeout. It does so only after it joined the node registry, which proved that the old process is dead; and
 * were that wrong, the old owner's next manifest write would fail by its epoch, and the pool file's lock keeps it from the data.
 *
 * <p>SUSPENDED (no server answers, the session may live) changes nothing: nobody else can be elected before the session ends. On
 * LOST the node is deposed. Listener calls come one at a time on this election's own thread. Thread-safe.
 */
public final class VolumeElection implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VolumeElection.class);

    /** Pause before another try to raise the epoch after a failure of the connection. */
    private static final int RETRY_MS = 100;

    /** What the owner-to-be does. Calls may block; the next one waits. */
    public interface Listener {
        /** This node owns the volume from now on, in this epoch. */
        void onElected(long epoch);

        /** It does not any more. Comes after each onElected except when the election is closed first. */
        void onDeposed();
    }

    private final CuratorFramework curator;
    private final ClusterClient cluster;
    private final VolumePaths paths;
    private final NodeId node;
    private final String candidate;
    private final Listener listener;
    private final LeaderLatch latch;
    private final ThreadPoolExecutor events;

    /** Ownership as soon as known; the listener hears of it a little later. 0 = not the owner. */
    private volatile long epoch;

    private volatile boolean leading;
    private volatile boolean closed;

    /** Whether the listener's last call was onElected. Event thread only. */
    private boolean announced;

    public VolumeElection(ClusterClient cluster, int volume, NodeId node, Incarnation self, Listener listener) {
        this.cluster = cluster;
        this.curator = cluster.curator();
        this.paths = new VolumePaths(volume);
        this.node = node;
        this.candidate = node + ":" + self.identity();
        this.listener = listener;
        this.latch = new LeaderLatch(curator, paths.election(), candidate);
        this.events = new ThreadPoolExecutor(
                1,
                1,
                0,
                TimeUnit.MILLISECONDS,
                new LinkedBlockingQueue<>(),
                Thread.ofPlatform().daemon().name("tessera-election-" + volume).factory(),
                // A latch callback may come while close() is shutting down: nobody waits for it any more.
                new ThreadPoolExecutor.DiscardPolicy());
    }

    /** Stands for election. Call after joining the node registry. */
    public void start() throws MembershipException {
        try {
            deleteOwnStaleEntries();
            latch.addListener(new LatchListener(), Runnable::run);
            latch.start();
        } catch (Exception e) {
            throw Znodes.explain("Election for volume " + paths.number(), e);
        }
    }

    /** The epoch this node owns the volume in, if it does as far as it knows. Changes at once, before the listener is called. */
    public OptionalLong ownedEpoch() {
        long now = epoch;
        return now == 0 ? OptionalLong.empty() : OptionalLong.of(now);
    }

    /** Whether another candidate is ahead of this node, as far as known. */
    public boolean otherLeads() {
        try {
            Participant leader = latch.getLeader();
            return leader.isLeader() && !leader.getId().equals(candidate);
        } catch (Exception e) {
            LOG.debug("Volume {}: the leader is not known", paths.number(), e);
            return false;
        }
    }

    /** Steps down without further calls to the listener; does not wait for one that is running. Idempotent. */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        leading = false;
        epoch = 0;
        if (latch.getState() == LeaderLatch.State.STARTED) {
            latch.close();
        }
        events.shutdown();
    }

    private void deleteOwnStaleEntries() throws Exception {
        long session = cluster.sessionId();
        for (String child : curator.getChildren().forPath(paths.election())) {
            String path = paths.election() + "/" + child;
            Stat stat = new Stat();
            try {
                byte[] owner = curator.getData().storingStatIn(stat).forPath(path);
                boolean own = candidate.equals(new String(owner, StandardCharsets.UTF_8));
                if (own && stat.getEphemeralOwner() != session) {
                    curator.delete().forPath(path);
                }
            } catch (KeeperException.NoNodeException alreadyGone) {
                LOG.debug("{} went by itself", path, alreadyGone);
            }
        }
    }

    /** Event thread. */
    private void takeOffice() {
        while (leading && !closed) {
            try {
                long raised = raiseEpoch();
                if (raised != 0 && announceable(raised)) {
                    announced = true;
                    listener.onElected(raised);
                }
                return; // or not the leader any more; the latch says so in a moment, and when it is again
            } catch (MembershipException e) {
                LOG.warn("Volume {}: elected, but the epoch could not be raised; trying again", paths.number(), e);
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(RETRY_MS));
            }
        }
    }

    /** Publishes the epoch unless this node was deposed while it raised it. */
    private boolean announceable(long raised) {
        epoch = raised;
        if (leading && !closed) {
            return true;
        }
        epoch = 0;
        return false;
    }

    /** Event thread. */
    private void leaveOffice() {
        if (announced && !closed) {
            announced = false;
            listener.onDeposed();
        }
    }

    /** The new epoch, or 0 if this node's latch entry is gone. */
    private long raiseEpoch() throws MembershipException {
        try {
            while (true) {
                String latchEntry = latch.getOurPath();
                if (latchEntry == null) {
                    return 0;
                }
                Stat stat = new Stat();
                EpochRecord last = Znodes.decode(
                        paths.epoch(), curator.getData().storingStatIn(stat).forPath(paths.epoch()), EpochRecord.class);
                EpochRecord next = new EpochRecord(last.epoch() + 1, node.toString());
                try {
                    curator.transaction()
                            .forOperations(
                                    curator.transactionOp().check().forPath(latchEntry),
                                    curator.transactionOp()
                                            .setData()
                                            .withVersion(stat.getVersion())
                                            .forPath(paths.epoch(), Znodes.encode(next)));
                    return next.epoch();
                } catch (KeeperException.BadVersionException raced) {
                    LOG.debug("The epoch was raised meanwhile (perhaps by a try whose answer was lost)", raced);
                } catch (KeeperException.NoNodeException deposed) {
                    return 0;
                }
            }
        } catch (Exception e) {
            throw Znodes.explain("Raising the epoch of volume " + paths.number(), e);
        }
    }

    /** On Curator's threads: notes and enqueues. */
    private final class LatchListener implements LeaderLatchListener {
        @Override
        public void isLeader() {
            leading = true;
            enqueue(VolumeElection.this::takeOffice);
        }

        @Override
        public void notLeader() {
            leading = false;
            epoch = 0;
            enqueue(VolumeElection.this::leaveOffice);
        }

        private void enqueue(Runnable event) {
            events.execute(event);
        }
    }
}
