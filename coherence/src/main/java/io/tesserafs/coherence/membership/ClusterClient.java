package io.tesserafs.coherence.membership;

import io.tesserafs.coherence.session.SessionTerms;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.ACLProvider;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.framework.state.SessionConnectionStateErrorPolicy;
import org.apache.curator.retry.BoundedExponentialBackoffRetry;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ACL;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection to the ZooKeeper of one cluster, with all paths below {@code /tessera/CLUSTER}. Thread-safe.
 *
 * <p>Curator's callbacks only enqueue: listeners run on one thread of this client, so they may block and call back.
 */
public final class ClusterClient implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterClient.class);

    /** Retries of one call: 50, 100, ... ms, in all less than the shortest session that is sensible. */
    private static final int RETRY_BASE_MS = 50;

    private static final int RETRY_MAX_MS = 500;
    private static final int RETRIES = 6;

    private static final String SHARED_ROOT = "/tessera";

    /** How long close() waits for listeners. */
    private static final int CLOSE_WAIT_MS = 5_000;

    private final CuratorFramework curator;
    private final ClusterConfig config;
    private final List<ConnectionListener> listeners = new CopyOnWriteArrayList<>();
    private final ExecutorService events = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("tessera-cluster-events").factory());
    private volatile ConnectionListener.Connection connection = ConnectionListener.Connection.SUSPENDED;
    private UUID clusterId = new UUID(0, 0);

    private ClusterClient(CuratorFramework curator, ClusterConfig config) {
        this.curator = curator;
        this.config = config;
    }

    /**
     * Connects, and makes the cluster if this ZooKeeper does not know it and the node was never in one.
     *
     * @throws MembershipException UNREACHABLE within the time configured; WRONG_CLUSTER
     */
    public static ClusterClient connect(ClusterConfig config) throws MembershipException {
        ZKClientConfig zooKeeper = new ZKClientConfig();
        zooKeeper.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
        CuratorFrameworkFactory.Builder builder = CuratorFrameworkFactory.builder()
                .connectString(config.connectString())
                .namespace("tessera/" + config.cluster())
                .sessionTimeoutMs(config.sessionTimeoutMs())
                .connectionTimeoutMs(Math.min(config.connectTimeoutMs(), config.sessionTimeoutMs()))
                .retryPolicy(new BoundedExponentialBackoffRetry(RETRY_BASE_MS, RETRY_MAX_MS, RETRIES))
                .connectionStateErrorPolicy(new SessionConnectionStateErrorPolicy())
                // A client notices after two thirds of a session that nothing answers; a third later the servers may
                // have dropped it.
                .simulatedSessionExpirationPercent(33)
                .ensembleTracker(false)
                .zkClientConfig(zooKeeper);
        config.password()
                .ifPresent(password -> builder.authorization(
                                "digest", (config.cluster() + ":" + password).getBytes(StandardCharsets.UTF_8))
                        .aclProvider(new OwnEntries()));
        ClusterClient client = new ClusterClient(builder.build(), config);
        try {
            client.start();
            return client;
        } catch (MembershipException | RuntimeException e) {
            client.close();
            throw e;
        }
    }

    /** All that the cluster makes is its own; the directory that clusters share is everybody's. */
    private static final class OwnEntries implements ACLProvider {
        @Override
        public List<ACL> getDefaultAcl() {
            return ZooDefs.Ids.CREATOR_ALL_ACL;
        }

        @Override
        public List<ACL> getAclForPath(String path) {
            return path.equals(SHARED_ROOT) ? ZooDefs.Ids.OPEN_ACL_UNSAFE : ZooDefs.Ids.CREATOR_ALL_ACL;
        }
    }

    /** With the cluster's root as namespace. */
    public CuratorFramework curator() {
        return curator;
    }

    /** The cluster's identity, to be remembered by the node and given at the next start. */
    public UUID clusterId() {
        return clusterId;
    }

    public String clusterName() {
        return config.cluster();
    }

    public ConnectionListener.Connection connection() {
        return connection;
    }

    public void addListener(ConnectionListener listener) {
        listeners.add(listener);
    }

    public void removeListener(ConnectionListener listener) {
        listeners.remove(listener);
    }

    /** Id of the current ZooKeeper session, which owns this node's ephemeral entries. */
    public long sessionId() throws MembershipException {
        try {
            return curator.getZookeeperClient().getZooKeeper().getSessionId();
        } catch (Exception e) {
            throw Znodes.explain("Session of ZooKeeper", e);
        }
    }

    /** Ends the session, and with it this node's ephemeral entries. Idempotent. */
    @Override
    public void close() {
        curator.close();
        events.shutdown();
        try {
            if (!events.awaitTermination(CLOSE_WAIT_MS, TimeUnit.MILLISECONDS)) {
                LOG.warn("A listener of the cluster's connection still runs");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void start() throws MembershipException {
        curator.getConnectionStateListenable().addListener((source, state) -> enqueue(state));
        curator.start();
        try {
            if (!curator.blockUntilConnected(config.connectTimeoutMs(), TimeUnit.MILLISECONDS)) {
                throw new MembershipException(
                        MembershipException.Reason.UNREACHABLE,
                        "No ZooKeeper server answers at " + config.connectString() + " within "
                                + config.connectTimeoutMs() + " ms");
            }
            judgeTimeout(config.sessionTimeoutMs(), curator.getZookeeperClient().getLastNegotiatedSessionTimeoutMs());
            clusterId = createOrVerifyId();
        } catch (Exception e) {
            throw Znodes.explain("Cluster '" + config.cluster() + "' at " + config.connectString(), e);
        }
    }

    /** Servers bound what clients may have, by minSessionTimeout (by default two of their ticks) and maxSessionTimeout. */
    static void judgeTimeout(int askedMs, int agreedMs) throws MembershipException {
        if (agreedMs < Math.min(askedMs, SessionTerms.MIN_MEMBERSHIP_MS)) {
            throw new MembershipException(
                    MembershipException.Reason.UNSUITABLE,
                    "ZooKeeper would drop this node after " + agreedMs + " ms of silence; set its maxSessionTimeout to "
                            + SessionTerms.MIN_MEMBERSHIP_MS + " or more");
        }
        if (agreedMs > SessionTerms.MAX_SMOOTH_MEMBERSHIP_MS) {
            LOG.warn(
                    "ZooKeeper drops a dead node after {} ms only: when the owner of a volume dies, applications on other nodes may get EIO"
                            + " before another node owns it, unless the volume was made with a longer coordination.leaseTerm. Set coordination.sessionTimeout and ZooKeeper's minSessionTimeout to {}",
                    agreedMs,
                    SessionTerms.MIN_MEMBERSHIP_MS);
        }
    }

    private UUID createOrVerifyId() throws Exception {
        UUID expected = config.expectedId();
        UUID found = readId();
        if (found == null && expected == null) {
            try {
                String fresh = UUID.randomUUID().toString();
                curator.create()
                        .creatingParentsIfNeeded()
                        .forPath(Znodes.ID, fresh.getBytes(StandardCharsets.US_ASCII));
            } catch (KeeperException.NodeExistsException raced) {
                LOG.debug("Another node made the cluster at the same moment", raced);
            }
            found = readId();
        }
        if (found == null) {
            throw new MembershipException(
                    MembershipException.Reason.WRONG_CLUSTER,
                    "ZooKeeper at " + config.connectString() + " knows no cluster '" + config.cluster()
                            + "', but this node belongs to one (" + expected
                            + "). Is it the right ZooKeeper, and has it still its data?");
        }
        if (expected != null && !expected.equals(found)) {
            throw new MembershipException(
                    MembershipException.Reason.WRONG_CLUSTER,
                    "Cluster '" + config.cluster() + "' at " + config.connectString() + " is " + found
                            + ", but this node belongs to " + expected);
        }
        return found;
    }

    private @Nullable UUID readId() throws Exception {
        try {
            String text = new String(curator.getData().forPath(Znodes.ID), StandardCharsets.US_ASCII);
            return UUID.fromString(text);
        } catch (KeeperException.NoNodeException absent) {
            return null;
        } catch (IllegalArgumentException e) {
            throw new MembershipException(
                    MembershipException.Reason.DAMAGED, "Entry " + Znodes.ID + " holds no cluster id", e);
        }
    }

    private void enqueue(ConnectionState state) {
        ConnectionListener.Connection next = switch (state) {
            case CONNECTED, RECONNECTED -> ConnectionListener.Connection.CONNECTED;
            case LOST -> ConnectionListener.Connection.LOST;
            case SUSPENDED, READ_ONLY -> ConnectionListener.Connection.SUSPENDED;
        };
        connection = next;
        try {
            events.execute(() -> {
                for (ConnectionListener listener : listeners) {
                    listener.connectionChanged(next);
                }
            });
        } catch (RejectedExecutionException closing) {
            LOG.debug("Connection {} while closing", next, closing);
        }
    }
}
