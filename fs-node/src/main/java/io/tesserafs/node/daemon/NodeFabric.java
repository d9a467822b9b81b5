package io.tesserafs.node.daemon;

import io.tesserafs.coherence.membership.BrickRecord;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.NodeInfo;
import io.tesserafs.fabric.Fabric;
import io.tesserafs.fabric.LocalFabric;
import io.tesserafs.fabric.RoutingFabric;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.ConnectionPool;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.TcpBricks;
import io.tesserafs.fabric.tcp.TcpConfig;
import io.tesserafs.fabric.tcp.TcpTransport;
import io.tesserafs.fabric.verbs.Revocation;
import io.tesserafs.fabric.verbs.VerbsBinding;
import io.tesserafs.fabric.verbs.VerbsBricks;
import io.tesserafs.fabric.verbs.rdmacore.VerbsUnavailableException;
import io.tesserafs.node.admin.AdminPeers;
import io.tesserafs.node.config.NodeConfig.FabricConfig;
import io.tesserafs.node.session.NodeEndpoint;
import io.tesserafs.node.session.OwnerEndpoint;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/** This node among the others: its endpoint, and the way to theirs and to their bricks. Thread-safe after {@link #start}. */
final class NodeFabric implements AutoCloseable {
    /** Name of the endpoint in a node's registration. */
    static final String ENDPOINT = "fabric";

    private static final Logger LOG = LoggerFactory.getLogger(NodeFabric.class);
    /** A peer that is silent for longer is taken for dead; shorter than a session lives. */
    private static final int PING_MS = 400;

    private static final int DEAD_AFTER_MS = 2000;
    /** A daemon that hangs accepts connections but says nothing; whoever fences it waits for this. */
    private static final int CONNECT_TIMEOUT_MS = 1500;

    private static final long FENCE_RETRY_MS = 100;
    private static final long REFRESH_MS = 1000;

    private final Coordination coordination;
    private final TcpTransport transport;
    private final TcpBricks bricks;
    private final @Nullable VerbsBricks rdma;
    private final ConnectionPool connections;
    private final OwnerEndpoint owners = new OwnerEndpoint();
    private final NodeEndpoint sessions = new NodeEndpoint();
    private final AdminPeers admin = new AdminPeers();
    private final Fabric fabric;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("tessera-bricks").factory());
    private final NodePlaces places;

    NodeFabric(FabricConfig config, Coordination coordination, LocalFabric local) throws IOException, StartException {
        this.coordination = coordination;
        this.places = new NodePlaces(coordination.node(), new Registrations(coordination));
        int colon = config.listen().lastIndexOf(':');
        InetSocketAddress address = new InetSocketAddress(
                config.listen().substring(0, colon),
                Integer.parseInt(config.listen().substring(colon + 1)));
        if (address.isUnresolved()) {
            throw new StartException("fabric.listen: there is no host " + address.getHostString());
        }
        TcpConfig tcp = TcpConfig.of(
                        address,
                        new PeerId(coordination.node().value(), new SecureRandom().nextLong()),
                        coordination.cluster().clusterId(),
                        ClusterSecret.loadOrCreate(config.secretFile()))
                .withAdvertisedHost(config.advertise().orElse(null))
                .withKeepAlive(PING_MS, DEAD_AFTER_MS)
                .withConnectTimeout(CONNECT_TIMEOUT_MS);
        this.transport = new TcpTransport(tcp);
        this.bricks = config.tcpOnly() ? TcpBricks.withoutSharedMemory(transport) : new TcpBricks(transport);
        this.rdma =
                config.rdma().isEmpty() ? null : openRdma(config, config.rdma().get());
        this.connections = new ConnectionPool(transport);
        transport.serve(OwnerEndpoint.SERVICE, owners);
        transport.serve(NodeEndpoint.SERVICE, sessions);
        transport.serve(AdminPeers.SERVICE, admin);
        this.fabric = new RoutingFabric(local, rdma == null ? bricks : rdma, connections, places);
    }

    /** Null if this host has no RDMA after all. */
    private @Nullable VerbsBricks openRdma(FabricConfig config, String address) throws StartException {
        InetSocketAddress device = new InetSocketAddress(address, 0);
        if (device.isUnresolved()) {
            throw new StartException("fabric.rdma: there is no address " + address);
        }
        try {
            return new VerbsBricks(
                    binding(config),
                    transport,
                    bricks,
                    device.getAddress(),
                    config.verbs().calls());
        } catch (IOException e) {
            LOG.warn("fabric.rdma: without RDMA, by TCP: {}", e.getMessage());
            return null;
        }
    }

    private static VerbsBinding binding(FabricConfig config) throws VerbsUnavailableException {
        return VerbsBinding.open(
                switch (config.verbs().binding()) {
                    case RDMA_CORE -> VerbsBinding.Kind.RDMA_CORE;
                    case DISNI -> VerbsBinding.Kind.DISNI;
                });
    }

    private record Registrations(Coordination coordination) implements NodePlaces.Directory {
        @Override
        public boolean connected() {
            return coordination.connected();
        }

        @Override
        public List<BrickRecord> bricks() throws IOException {
            return coordination.bricks().list();
        }

        @Override
        public List<NodeInfo> nodes() throws IOException {
            return coordination.nodes().list();
        }

        @Override
        public Optional<BrickRecord> brick(BrickId brick) throws IOException {
            return coordination.bricks().find(brick);
        }

        @Override
        public Optional<NodeInfo> node(NodeId node) throws IOException {
            return coordination.nodes().find(node);
        }
    }

    /** Exports the brick, begins to listen, and tells the others where. */
    void start(LocalBrick brick) throws IOException {
        bricks.export(brick);
        if (rdma != null) {
            rdma.export(brick);
        }
        coordination.announce(ENDPOINT, transport.start());
        refresh();
        var _ = timer.scheduleWithFixedDelay(this::refreshQuietly, REFRESH_MS, REFRESH_MS, TimeUnit.MILLISECONDS);
    }

    private void refreshQuietly() {
        try {
            refresh();
        } catch (IOException e) {
            LOG.debug("the list of bricks cannot be read now: {}", e.getMessage());
        }
    }

    OwnerEndpoint owners() {
        return owners;
    }

    NodeEndpoint sessions() {
        return sessions;
    }

    AdminPeers admin() {
        return admin;
    }

    Fabric fabric() {
        return fabric;
    }

    /** Calls of other nodes so far. */
    long callsServed() {
        return transport.callsServed();
    }

    /** How the keys are taken back by which peers reach this node's brick by RDMA; null if they do not. */
    @Nullable
    String rdmaKeys() {
        return rdma == null ? null : rdma.revocation().map(Revocation::label).orElse(null);
    }

    /** Whether the cluster has bricks of other nodes, as last seen by {@link #refresh}. */
    boolean hasOthers() {
        return places.hasOthers();
    }

    /** Bricks of other nodes that are members, as last seen by {@link #refresh}. */
    List<BrickId> othersUp() {
        return places.othersUp();
    }

    void refresh() throws IOException {
        places.refresh();
    }

    Connection connect(NodeId node) throws IOException {
        String endpoint = places.of(node);
        Connection connection = connections.get(endpoint);
        if (connection.peer().node() != node.value()) {
            throw new PeerException(
                    PeerException.Reason.REFUSED, "at " + endpoint + " is " + connection.peer() + ", not " + node);
        }
        return connection;
    }

    /**
     * Kills the handles of a session on every brick. A brick that does not answer is asked again until it does, or its node is not a member of the cluster any
     * more: then nobody uses it, and its node begins anew when it is back.
     */
    void fence(SessionId self, SessionId victim) throws InterruptedException {
        List<BrickRecord> all = List.of();
        while (all.isEmpty()) {
            try {
                all = coordination.bricks().list();
            } catch (IOException e) {
                LOG.warn("fencing {} waits for ZooKeeper: {}", victim, e.getMessage());
                Thread.sleep(FENCE_RETRY_MS);
            }
        }
        for (BrickRecord record : all) {
            BrickId id = new BrickId(record.brick());
            boolean done = fenceOn(id, self, victim, Level.INFO);
            while (!done && isMember(record.node())) {
                Thread.sleep(FENCE_RETRY_MS);
                done = fenceOn(id, self, victim, Level.DEBUG);
            }
        }
    }

    private boolean fenceOn(BrickId id, SessionId self, SessionId victim, Level ifNot) {
        try (BrickClient client = fabric.connect(id, self)) {
            client.fence(victim);
            return true;
        } catch (BrickException e) {
            LOG.atLevel(ifNot).log("brick {} cannot be told to fence {} yet: {}", id, victim, e.getMessage());
            return false;
        }
    }

    private boolean isMember(NodeId node) {
        try {
            return coordination.nodes().find(node).isPresent();
        } catch (IOException e) {
            return true; // not known to be gone
        }
    }

    @Override
    public void close() {
        timer.shutdownNow();
        if (rdma != null) {
            rdma.close();
        }
        transport.close();
        bricks.close();
    }
}
