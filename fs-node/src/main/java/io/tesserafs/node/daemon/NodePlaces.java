package io.tesserafs.node.daemon;

import io.tesserafs.coherence.membership.BrickRecord;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.NodeInfo;
import io.tesserafs.fabric.BrickResolver;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * Where the other nodes and their bricks are: as ZooKeeper says, and while it cannot be asked, as it last said. What is remembered may be out of date; who connects
 * finds out, since peers say who they are. Thread-safe.
 */
final class NodePlaces implements BrickResolver {
    /** What nodes have registered. May block. */
    interface Directory {
        /** False if asking would only take long to fail. If true it may fail all the same. */
        boolean connected();

        List<BrickRecord> bricks() throws IOException;

        List<NodeInfo> nodes() throws IOException;

        Optional<BrickRecord> brick(BrickId brick) throws IOException;

        /** Empty if the node is not up. */
        Optional<NodeInfo> node(NodeId node) throws IOException;
    }

    private final NodeId self;
    private final Directory directory;
    private final ConcurrentMap<BrickId, Location> lastSeen = new ConcurrentHashMap<>();
    private volatile boolean hasOthers;
    private volatile List<BrickId> othersUp = List.of();

    NodePlaces(NodeId self, Directory directory) {
        this.self = self;
        this.directory = directory;
    }

    /** Whether the cluster has bricks of other nodes, as last seen by {@link #refresh}. */
    boolean hasOthers() {
        return hasOthers;
    }

    /** Bricks of other nodes that are members, as last seen by {@link #refresh}. */
    List<BrickId> othersUp() {
        return othersUp;
    }

    void refresh() throws IOException {
        List<BrickRecord> all = directory.bricks();
        hasOthers = all.stream().anyMatch(brick -> !brick.node().equals(self));
        if (!hasOthers) {
            return;
        }
        Map<NodeId, String> endpoints = new HashMap<>();
        for (NodeInfo node : directory.nodes()) {
            String endpoint = node.endpoints().get(NodeFabric.ENDPOINT);
            if (endpoint != null && !node.id().equals(self)) {
                endpoints.put(node.id(), endpoint);
            }
        }
        List<BrickId> up = new ArrayList<>();
        for (BrickRecord brick : all) {
            String endpoint = endpoints.get(brick.node());
            if (endpoint != null) {
                BrickId id = new BrickId(brick.brick());
                up.add(id);
                lastSeen.put(id, new Location(brick.node().value(), endpoint));
            }
        }
        othersUp = List.copyOf(up);
    }

    /**
     * The endpoint of a node.
     *
     * @throws IOException it is not up, or was never seen and ZooKeeper cannot be asked
     */
    String of(NodeId node) throws IOException {
        Optional<String> endpoint;
        try {
            endpoint = directory.connected() ? endpointOf(node) : lastSeen(node);
        } catch (IOException e) {
            endpoint = lastSeen(node);
            if (endpoint.isEmpty()) {
                throw e;
            }
        }
        return endpoint.orElseThrow(() -> new IOException("node " + node + " is not there"));
    }

    private Optional<String> endpointOf(NodeId node) throws IOException {
        return directory.node(node).map(info -> info.endpoints().get(NodeFabric.ENDPOINT));
    }

    private Optional<String> lastSeen(NodeId node) {
        return lastSeen.values().stream()
                .filter(location -> location.node() == node.value())
                .map(Location::endpoint)
                .findAny();
    }

    @Override
    public Location locate(BrickId brick) throws BrickException {
        Location known = lastSeen.get(brick);
        if (known != null && !directory.connected()) {
            return known;
        }
        try {
            BrickRecord record = directory
                    .brick(brick)
                    .orElseThrow(() -> new BrickException(Reason.UNREACHABLE, "there is no brick " + brick));
            String endpoint = endpointOf(record.node())
                    .orElseThrow(() -> new BrickException(
                            Reason.UNREACHABLE, "brick " + brick + ": node " + record.node() + " is not there"));
            Location found = new Location(record.node().value(), endpoint);
            lastSeen.put(brick, found);
            return found;
        } catch (BrickException e) {
            throw e;
        } catch (IOException e) {
            // ZooKeeper went away while it was asked: a file whose brick is there must not notice.
            if (known != null) {
                return known;
            }
            throw new BrickException(Reason.UNREACHABLE, "brick " + brick + ": " + e.getMessage(), e);
        }
    }
}
