package io.tesserafs.coherence.membership;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;
import org.jspecify.annotations.Nullable;

/**
 * The nodes that are up. Each keeps an ephemeral entry. Thread-safe; calls block.
 *
 * <p>A node that crashed comes back before ZooKeeper's session timeout has dropped its old entry. It knows that entry for its own
 * by the digest of the secret in its state directory, sees (same host) that the process which wrote it is dead, and replaces
 * it. An entry of another state directory, of a live process or of another host is never touched.
 */
public final class NodeRegistry {
    private final ClusterClient cluster;
    private final CuratorFramework curator;

    public NodeRegistry(ClusterClient cluster) {
        this.cluster = cluster;
        this.curator = cluster.curator();
    }

    /** As kept in ZooKeeper. */
    record Entry(NodeInfo node, Incarnation incarnation) {}

    /**
     * Joins, and rejoins by itself when the session with ZooKeeper was lost and there is a new one.
     *
     * @param onExpelled called on the cluster's event thread when rejoining failed: the node is not a member any more
     * @throws MembershipException IDENTITY_IN_USE
     */
    public NodeMembership join(NodeInfo node, Incarnation self, Consumer<MembershipException> onExpelled)
            throws MembershipException {
        NodeMembership membership = new NodeMembership(this, cluster, node, self, onExpelled);
        enter(node, self);
        cluster.addListener(membership);
        return membership;
    }

    public List<NodeInfo> list() throws MembershipException {
        try {
            List<NodeInfo> nodes = new ArrayList<>();
            for (String child : curator.getChildren().forPath(Znodes.NODES)) {
                find(new NodeId(Integer.parseInt(child))).ifPresent(nodes::add);
            }
            nodes.sort(Comparator.comparingInt(node -> node.id().value()));
            return nodes;
        } catch (KeeperException.NoNodeException nobodyYet) {
            return List.of();
        } catch (Exception e) {
            throw Znodes.explain("Listing nodes", e);
        }
    }

    public Optional<NodeInfo> find(NodeId id) throws MembershipException {
        Entry entry = read(id, new Stat());
        return Optional.ofNullable(entry).map(Entry::node);
    }

    /** Creates or replaces the entry of this node, for the current session. */
    void enter(NodeInfo node, Incarnation self) throws MembershipException {
        String path = path(node.id());
        byte[] bytes = Znodes.encode(new Entry(node, self));
        try {
            while (!tryEnter(path, bytes, node, self)) {
                Thread.onSpinWait(); // the entry came or went meanwhile: look again
            }
        } catch (Exception e) {
            throw Znodes.explain("Joining as " + node.id(), e);
        }
    }

    /** Removes the entry if it is this incarnation's. */
    void leave(NodeId id, Incarnation self) throws MembershipException {
        Stat stat = new Stat();
        Entry entry = read(id, stat);
        if (entry == null || !entry.incarnation().equals(self)) {
            return;
        }
        try {
            curator.delete().withVersion(stat.getVersion()).forPath(path(id));
        } catch (KeeperException.NoNodeException | KeeperException.BadVersionException notOursAnyMore) {
            return;
        } catch (Exception e) {
            throw Znodes.explain("Leaving", e);
        }
    }

    private boolean tryEnter(String path, byte[] bytes, NodeInfo node, Incarnation self) throws Exception {
        Stat stat = new Stat();
        Entry present = read(node.id(), stat);
        try {
            if (present == null) {
                curator.create()
                        .creatingParentsIfNeeded()
                        .withMode(CreateMode.EPHEMERAL)
                        .forPath(path, bytes);
                return true;
            }
            if (stat.getEphemeralOwner() == cluster.sessionId()) {
                curator.setData().withVersion(stat.getVersion()).forPath(path, bytes);
                return true;
            }
            refuseUnlessStale(present, self);
            curator.transaction()
                    .forOperations(
                            curator.transactionOp()
                                    .delete()
                                    .withVersion(stat.getVersion())
                                    .forPath(path),
                            curator.transactionOp()
                                    .create()
                                    .withMode(CreateMode.EPHEMERAL)
                                    .forPath(path, bytes));
            return true;
        } catch (KeeperException.NodeExistsException
                | KeeperException.NoNodeException
                | KeeperException.BadVersionException changed) {
            return false;
        }
    }

    private static void refuseUnlessStale(Entry present, Incarnation self) throws MembershipException {
        Incarnation other = present.incarnation();
        NodeId id = present.node().id();
        if (!other.identity().equals(self.identity())) {
            throw new MembershipException(
                    MembershipException.Reason.IDENTITY_IN_USE,
                    "Another node uses id " + id + ": '" + present.node().name() + "', pid " + other.pid()
                            + ", with a state directory of its own. Give this node another id");
        }
        if (other.equals(self)) {
            return; // this very process, from a session that was lost
        }
        if (!other.host().equals(self.host())) {
            throw new MembershipException(
                    MembershipException.Reason.IDENTITY_IN_USE,
                    "Node " + id + " is registered from another host (" + other.host()
                            + ") with this state directory. If that host is dead, its entry goes by itself"
                            + " within the session timeout; if the directory was copied, give this node another id");
        }
        if (other.mayBeAlive(self)) {
            throw new MembershipException(
                    MembershipException.Reason.IDENTITY_IN_USE,
                    "Node " + id + " is running already, as pid " + other.pid());
        }
    }

    private @Nullable Entry read(NodeId id, Stat stat) throws MembershipException {
        String path = path(id);
        try {
            return Znodes.decode(path, curator.getData().storingStatIn(stat).forPath(path), Entry.class);
        } catch (KeeperException.NoNodeException absent) {
            return null;
        } catch (Exception e) {
            throw Znodes.explain("Reading " + path, e);
        }
    }

    private static String path(NodeId id) {
        return Znodes.NODES + "/" + id.value();
    }
}
