package io.tesserafs.coherence.membership;

import io.tesserafs.coherence.membership.MembershipException.Reason;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;

/**
 * One look at what ZooKeeper knows of a cluster, which changes nothing there: for tools. {@link ClusterClient} would make the cluster
 * if there is none, and is slower to start.
 *
 * @param id empty if ZooKeeper does not know the cluster
 * @param nodes those that are up, by number
 */
public record ClusterView(Optional<UUID> id, List<NodeInfo> nodes) {
    /** For threads of the client that never got an answer. */
    private static final int CLOSE_WAIT_MS = 200;

    public ClusterView {
        nodes = List.copyOf(nodes);
    }

    /** @throws MembershipException UNREACHABLE within the connect timeout; NOT_ALLOWED with another secret than the cluster's; DAMAGED */
    public static ClusterView read(ClusterConfig config) throws MembershipException {
        ZKClientConfig options = new ZKClientConfig();
        options.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
        CountDownLatch connected = new CountDownLatch(1);
        String what = "Cluster '" + config.cluster() + "' at " + config.connectString();
        try {
            ZooKeeper client = new ZooKeeper(
                    config.connectString(),
                    config.sessionTimeoutMs(),
                    event -> {
                        if (event.getState() == KeeperState.SyncConnected) {
                            connected.countDown();
                        }
                    },
                    options);
            try {
                if (!connected.await(config.connectTimeoutMs(), TimeUnit.MILLISECONDS)) {
                    throw new MembershipException(
                            Reason.UNREACHABLE,
                            what + ": no server answers within " + config.connectTimeoutMs() + " ms");
                }
                config.password()
                        .ifPresent(password -> client.addAuthInfo(
                                "digest", (config.cluster() + ":" + password).getBytes(StandardCharsets.UTF_8)));
                return read(client, "/tessera/" + config.cluster());
            } finally {
                client.close(CLOSE_WAIT_MS);
            }
        } catch (Exception e) {
            throw Znodes.explain(what, e);
        }
    }

    private static ClusterView read(ZooKeeper client, String root) throws Exception {
        Optional<UUID> id;
        try {
            byte[] text = client.getData(root + Znodes.ID, false, null);
            id = Optional.of(UUID.fromString(new String(text, StandardCharsets.US_ASCII)));
        } catch (KeeperException.NoNodeException absent) {
            return new ClusterView(Optional.empty(), List.of());
        } catch (IllegalArgumentException e) {
            throw new MembershipException(Reason.DAMAGED, "Entry " + root + Znodes.ID + " holds no cluster id", e);
        }
        List<NodeInfo> nodes = new ArrayList<>();
        for (String child : children(client, root + Znodes.NODES)) {
            node(client, root + Znodes.NODES + "/" + child).ifPresent(nodes::add);
        }
        nodes.sort(Comparator.comparingInt(node -> node.id().value()));
        return new ClusterView(id, nodes);
    }

    private static Optional<NodeInfo> node(ZooKeeper client, String path) throws Exception {
        try {
            byte[] bytes = client.getData(path, false, null);
            return Optional.of(
                    Znodes.decode(path, bytes, NodeRegistry.Entry.class).node());
        } catch (KeeperException.NoNodeException leftMeanwhile) {
            return Optional.empty();
        }
    }

    private static List<String> children(ZooKeeper client, String path) throws KeeperException, InterruptedException {
        try {
            return client.getChildren(path, false);
        } catch (KeeperException.NoNodeException nobodyYet) {
            return List.of();
        }
    }
}
