package io.tesserafs.node.daemon;

import io.tesserafs.coherence.membership.BrickRegistry;
import io.tesserafs.coherence.membership.ClusterClient;
import io.tesserafs.coherence.membership.ClusterConfig;
import io.tesserafs.coherence.membership.ConnectionListener.Connection;
import io.tesserafs.coherence.membership.EmbeddedZooKeeper;
import io.tesserafs.coherence.membership.Incarnation;
import io.tesserafs.coherence.membership.InstanceSecret;
import io.tesserafs.coherence.membership.MembershipException;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.NodeInfo;
import io.tesserafs.coherence.membership.NodeMembership;
import io.tesserafs.coherence.membership.NodeRegistry;
import io.tesserafs.coherence.volume.VolumeRegistry;
import io.tesserafs.node.config.NodeConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's part in the cluster: the embedded ZooKeeper (unless the cluster has servers of its own), the client, and the node's
 * membership. Thread-safe after {@link #start}.
 */
final class Coordination implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Coordination.class);

    private final Resources resources;
    private final ClusterClient cluster;
    private final NodeRegistry nodes;
    private final NodeMembership membership;
    /** Changed under this. */
    private volatile NodeInfo self;

    private final Incarnation incarnation;
    private final String servers;
    private final boolean embedded;
    private final Path stateDir;

    private Coordination(
            Resources resources,
            ClusterClient cluster,
            NodeRegistry nodes,
            NodeMembership membership,
            NodeInfo self,
            Incarnation incarnation,
            String servers,
            boolean embedded,
            Path stateDir) {
        this.resources = resources;
        this.cluster = cluster;
        this.nodes = nodes;
        this.membership = membership;
        this.self = self;
        this.incarnation = incarnation;
        this.servers = servers;
        this.embedded = embedded;
        this.stateDir = stateDir;
    }

    /**
     * Joins the cluster.
     *
     * @param known the cluster this node's pool belongs to; empty if it never joined one
     * @param onFailure called once the node cannot be a member any more, on a thread that must not block long
     */
    static Coordination start(NodeConfig config, Optional<UUID> known, FailureListener onFailure) throws IOException {
        Resources resources = new Resources();
        try {
            byte[] secret = InstanceSecret.loadOrCreate(config.stateDir());
            Optional<String> external = config.coordination().connect();
            String servers = external.isPresent() ? external.get() : startServer(config, resources, onFailure);
            ClusterClient cluster =
                    resources.add("cluster client", ClusterClient.connect(clusterConfig(config, servers, known)));
            Incarnation incarnation = Incarnation.current(secret);
            NodeRegistry nodes = new NodeRegistry(cluster);
            NodeInfo self = new NodeInfo(
                    new NodeId(config.nodeId()),
                    "node" + config.nodeId(),
                    ProcessHandle.current().pid(),
                    Map.of("admin", "unix:" + config.admin().socket()),
                    List.of(),
                    BuildInfo.version());
            NodeMembership membership = resources.add(
                    "membership",
                    nodes.join(self, incarnation, e -> onFailure.failed("this node is not a member any more", e)));
            LOG.info("joined cluster {} at {}", cluster.clusterId(), servers);
            return new Coordination(
                    resources,
                    cluster,
                    nodes,
                    membership,
                    self,
                    incarnation,
                    servers,
                    external.isEmpty(),
                    config.stateDir());
        } catch (IOException | RuntimeException e) {
            resources.close();
            throw e;
        }
    }

    /** Only reaches the cluster, without joining it: for tools while the daemon does not run. The server, if any, is added to {@code resources}. */
    static ClusterClient connectOnly(NodeConfig config, Resources resources, Optional<UUID> known) throws IOException {
        Optional<String> external = config.coordination().connect();
        String servers =
                external.isPresent() ? external.get() : startServer(config, resources, (what, cause) -> LOG.warn(what));
        return ClusterClient.connect(clusterConfig(config, servers, known));
    }

    private static String startServer(NodeConfig config, Resources resources, FailureListener onFailure)
            throws IOException {
        EmbeddedZooKeeper server = EmbeddedZooKeeper.start(
                config.coordination().dataDir(),
                config.coordination().port(),
                () -> onFailure.failed("the embedded ZooKeeper stopped", null));
        return resources.add("embedded ZooKeeper", server).connectString();
    }

    private static ClusterConfig clusterConfig(NodeConfig config, String servers, Optional<UUID> known)
            throws IOException {
        @Nullable UUID expected = known.orElse(null);
        return new ClusterConfig(
                servers,
                config.coordination().cluster(),
                expected,
                Optional.of(password(config.fabric().secretFile())),
                (int) config.coordination().sessionTimeout().toMillis(),
                ClusterConfig.DEFAULT_CONNECT_TIMEOUT_MS);
    }

    private static String password(Path secretFile) throws IOException {
        try {
            return ClusterSecret.derive(ClusterSecret.loadOrCreate(secretFile), "zookeeper");
        } catch (StartException e) {
            throw new MembershipException(MembershipException.Reason.LOCAL, "cluster secret: " + e.getMessage(), e);
        }
    }

    /** Told when something the daemon cannot do without is gone. */
    interface FailureListener {
        void failed(String what, @Nullable Exception cause);
    }

    ClusterClient cluster() {
        return cluster;
    }

    Path stateDir() {
        return stateDir;
    }

    NodeId node() {
        return self.id();
    }

    Incarnation incarnation() {
        return incarnation;
    }

    BrickRegistry bricks() {
        return new BrickRegistry(cluster);
    }

    VolumeRegistry volumes() {
        return new VolumeRegistry(cluster);
    }

    /** Tells the others which brick this node exports. */
    synchronized void announceBrick(int brick) throws IOException {
        announce(new NodeInfo(self.id(), self.name(), self.pid(), self.endpoints(), List.of(brick), self.version()));
    }

    /** Tells the others of an endpoint. */
    synchronized void announce(String purpose, String address) throws IOException {
        Map<String, String> endpoints = new HashMap<>(self.endpoints());
        endpoints.put(purpose, address);
        announce(new NodeInfo(self.id(), self.name(), self.pid(), endpoints, self.bricks(), self.version()));
    }

    private void announce(NodeInfo changed) throws IOException {
        membership.update(changed);
        self = changed;
    }

    NodeRegistry nodes() {
        return nodes;
    }

    String servers() {
        return servers;
    }

    boolean embedded() {
        return embedded;
    }

    /** Fails at once where a call would only fail after the client's retries. */
    void requireConnection() throws IOException {
        if (!connected()) {
            throw new IOException("node " + node().value() + " does not reach ZooKeeper at " + servers);
        }
    }

    boolean connected() {
        return cluster.connection() == Connection.CONNECTED;
    }

    /** Numbers of the nodes that are up. */
    List<Integer> members() throws IOException {
        return nodes.list().stream().map(node -> node.id().value()).toList();
    }

    @Override
    public void close() {
        resources.close();
    }
}
