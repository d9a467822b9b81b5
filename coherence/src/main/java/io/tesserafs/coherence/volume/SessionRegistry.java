package io.tesserafs.coherence.volume;

import io.tesserafs.coherence.membership.ClusterClient;
import io.tesserafs.coherence.membership.MembershipException;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.Znodes;
import io.tesserafs.fabric.brick.SessionId;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/**
 * Which sessions a volume has: written by its owner when one begins, and taken out after one that ended is fenced. So a new owner knows for whom to wait,
 * and whom to fence. Calls block. Thread-safe.
 */
public final class SessionRegistry {
    /** What is written of a session. */
    private record SessionRecord(int node) {}

    private final CuratorFramework curator;
    private final VolumePaths paths;

    public SessionRegistry(ClusterClient cluster, int volume) {
        this.curator = cluster.curator();
        this.paths = new VolumePaths(volume);
    }

    /**
     * @param epoch of the owner that asks
     * @throws StaleEpochException a newer owner exists: it would wait for a session that nobody knows
     */
    public void add(SessionId session, int node, long epoch) throws IOException {
        try {
            Stat stat = new Stat();
            EpochRecord newest = Znodes.decode(
                    paths.epoch(), curator.getData().storingStatIn(stat).forPath(paths.epoch()), EpochRecord.class);
            if (newest.epoch() != epoch) {
                throw new StaleEpochException("Epoch " + epoch + " of volume " + paths.number() + " is over");
            }
            if (curator.checkExists().forPath(paths.sessions()) == null) {
                curator.create().orSetData().creatingParentsIfNeeded().forPath(paths.sessions(), new byte[0]);
            }
            curator.transaction()
                    .forOperations(
                            curator.transactionOp()
                                    .check()
                                    .withVersion(stat.getVersion())
                                    .forPath(paths.epoch()),
                            curator.transactionOp()
                                    .create()
                                    .forPath(path(session), Znodes.encode(new SessionRecord(node))));
        } catch (KeeperException.NodeExistsException known) {
            // It is back after its connection was lost.
        } catch (KeeperException.BadVersionException deposed) {
            throw new StaleEpochException("Epoch " + epoch + " of volume " + paths.number() + " is over");
        } catch (StaleEpochException e) {
            throw e;
        } catch (Exception e) {
            throw Znodes.explain("Registering a session of volume " + paths.number(), e);
        }
    }

    public void remove(SessionId session) throws MembershipException {
        try {
            curator.delete().forPath(path(session));
        } catch (KeeperException.NoNodeException gone) {
            // Done before.
        } catch (Exception e) {
            throw Znodes.explain("Removing a session of volume " + paths.number(), e);
        }
    }

    /** Sessions and their nodes. */
    public Map<SessionId, Integer> list() throws MembershipException {
        Map<SessionId, Integer> found = new LinkedHashMap<>();
        try {
            for (String name : curator.getChildren().forPath(paths.sessions())) {
                String path = paths.sessions() + "/" + name;
                try {
                    SessionRecord record = Znodes.decode(path, curator.getData().forPath(path), SessionRecord.class);
                    found.put(new SessionId(Long.parseUnsignedLong(name, 16)), record.node());
                } catch (KeeperException.NoNodeException gone) {
                    // Removed meanwhile.
                }
            }
            return found;
        } catch (KeeperException.NoNodeException none) {
            return found;
        } catch (Exception e) {
            throw Znodes.explain("Listing the sessions of volume " + paths.number(), e);
        }
    }

    /** Of the node that was elected last. */
    public long epoch() throws MembershipException {
        try {
            return Znodes.decode(paths.epoch(), curator.getData().forPath(paths.epoch()), EpochRecord.class)
                    .epoch();
        } catch (Exception e) {
            throw Znodes.explain("Looking for the epoch of volume " + paths.number(), e);
        }
    }

    /** The node that was elected last for the volume. It may have died since, or not be ready yet. */
    public Optional<NodeId> owner() throws MembershipException {
        try {
            return Znodes.decode(paths.epoch(), curator.getData().forPath(paths.epoch()), EpochRecord.class)
                    .node();
        } catch (Exception e) {
            throw Znodes.explain("Looking for the owner of volume " + paths.number(), e);
        }
    }

    private String path(SessionId session) {
        return paths.sessions() + "/" + Long.toHexString(session.value());
    }
}
