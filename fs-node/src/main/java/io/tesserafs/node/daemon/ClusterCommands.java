package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.tesserafs.coherence.membership.BrickRecord;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.NodeInfo;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminPeers;
import io.tesserafs.node.admin.BrickStatus;
import io.tesserafs.node.admin.PeerStatus;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What one node knows of the others, and how it reaches them. Each is asked when the question comes, all at the same time. Thread-safe. */
final class ClusterCommands {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterCommands.class);

    /** A daemon that runs answers within milliseconds, unless its machine stalls. {@code status} waits so long twice, and has ten seconds. */
    static final Duration PING = Duration.ofSeconds(4);

    private static final String SELF = "local";

    private final NodeDaemon daemon;
    private final NodeServices services;
    private final SecureRandom random = new SecureRandom();

    ClusterCommands(NodeDaemon daemon, NodeServices services) {
        this.daemon = daemon;
        this.services = services;
    }

    /** What is registered: nodes that are there, and bricks of all. */
    private record Registered(Map<Integer, NodeInfo> nodes, List<BrickRecord> bricks) {
        List<Integer> bricksOf(int node) {
            return bricks.stream()
                    .filter(brick -> brick.node().value() == node)
                    .map(BrickRecord::brick)
                    .toList();
        }
    }

    private Registered registered() throws AdminException {
        Coordination coordination = services.coordination();
        try {
            coordination.requireConnection();
            Map<Integer, NodeInfo> nodes = new TreeMap<>();
            coordination.nodes().list().forEach(info -> nodes.put(info.id().value(), info));
            return new Registered(nodes, coordination.bricks().list());
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    /** All nodes, this one too. */
    List<PeerStatus> nodes() throws AdminException {
        Registered known = registered();
        TreeSet<Integer> numbers = new TreeSet<>(known.nodes().keySet());
        known.bricks().forEach(brick -> numbers.add(brick.node().value()));
        return Together.ask(List.copyOf(numbers), node -> node(known, node));
    }

    /** The others; none while ZooKeeper is not reached. */
    List<PeerStatus> peers() throws AdminException {
        if (!services.coordination().connected()) {
            return List.of();
        }
        int self = services.coordination().node().value();
        return nodes().stream().filter(peer -> peer.node() != self).toList();
    }

    private PeerStatus node(Registered known, int number) {
        NodeInfo info = known.nodes().get(number);
        List<Integer> bricks = known.bricksOf(number);
        if (info == null) {
            return new PeerStatus(number, PeerStatus.DOWN, null, null, null, null, null, null, null, bricks);
        }
        String state = PeerStatus.SILENT;
        Long roundTripUs = null;
        String via = null;
        String rdmaKeys = null;
        String calls = null;
        if (number == services.coordination().node().value()) {
            state = daemon.state().label();
            via = SELF;
            rdmaKeys = services.fabric().rdmaKeys();
        } else {
            try {
                var connection = services.fabric().connect(new NodeId(number));
                long start = System.nanoTime();
                JsonNode answer = AdminPeers.ask(connection, "ping", JsonNodeFactory.instance.objectNode(), PING);
                state = answer.path("state").asText(PeerStatus.SILENT);
                rdmaKeys = answer.path("rdmaKeys").asText(null);
                roundTripUs = TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - start);
                via = via(bricks);
                calls = AdminArgs.lower(connection.network());
            } catch (AdminException e) {
                state = e.code() == Code.UNAVAILABLE ? DaemonState.STARTING.label() : PeerStatus.SILENT;
            } catch (IOException e) {
                LOG.debug("node {} does not answer", number, e);
            }
        }
        return new PeerStatus(
                number,
                state,
                via,
                rdmaKeys,
                calls,
                roundTripUs,
                info.endpoints().get(NodeFabric.ENDPOINT),
                info.pid(),
                info.version(),
                bricks);
    }

    private @Nullable String via(List<Integer> bricks) {
        for (int brick : bricks) {
            try (BrickClient client = connect(brick)) {
                return AdminArgs.lower(client.provider());
            } catch (BrickException e) {
                LOG.debug("brick {} does not answer", brick, e);
            }
        }
        return null;
    }

    /** In a session of its own, of which nothing stays. */
    private BrickClient connect(int brick) throws BrickException {
        return services.fabric().fabric().connect(new BrickId(brick), new SessionId(random.nextLong() | 1));
    }

    /** All bricks of the cluster. */
    List<BrickStatus> bricks() throws AdminException {
        Registered known = registered();
        return Together.ask(known.bricks(), brick -> brick(known, brick));
    }

    /** Those bricks; ones that are not registered are left out. */
    List<BrickStatus> bricks(Collection<Integer> wanted) throws AdminException {
        Registered known = registered();
        List<BrickRecord> chosen = new ArrayList<>(known.bricks());
        chosen.removeIf(brick -> !wanted.contains(brick.brick()));
        return Together.ask(chosen, brick -> brick(known, brick));
    }

    private BrickStatus brick(Registered known, BrickRecord brick) {
        boolean isMember = known.nodes().containsKey(brick.node().value());
        if (isMember) {
            try (BrickClient client = connect(brick.brick())) {
                BrickInfo info = client.info();
                return new BrickStatus(
                        brick.brick(),
                        brick.node().value(),
                        BrickStatus.UP,
                        AdminArgs.lower(client.provider()),
                        info.pool().toString(),
                        info.path(),
                        info.kind(),
                        info.persistence().name(),
                        info.totalBlocks(),
                        info.freeBlocks(),
                        BlockId.BLOCK_BYTES,
                        info.survivesReboot());
            } catch (BrickException e) {
                LOG.debug("brick {} does not answer", brick.brick(), e);
            }
        }
        return new BrickStatus(
                brick.brick(),
                brick.node().value(),
                isMember ? PeerStatus.SILENT : PeerStatus.DOWN,
                null,
                brick.pool().toString(),
                brick.path(),
                null,
                null,
                brick.sizeBytes() / BlockId.BLOCK_BYTES,
                null,
                BlockId.BLOCK_BYTES,
                null);
    }
}
