package io.tesserafs.coherence.membership;

import io.tesserafs.fabric.brick.BrickId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;
import org.jspecify.annotations.Nullable;

/** The bricks of the cluster and their numbers, 1..65535, none of which is given out twice. Thread-safe; calls block. */
public final class BrickRegistry {
    private final CuratorFramework curator;
    private final NumberAllocator numbers;

    public BrickRegistry(ClusterClient cluster) {
        this.curator = cluster.curator();
        this.numbers = new NumberAllocator(curator, Znodes.LAST_BRICK);
    }

    /**
     * Enters a pool, or brings its record up to date. The number is to be written in the pool's header.
     *
     * @param written the number in the pool's header, null if it has none yet
     * @throws MembershipException WRONG_CLUSTER: the pool was numbered by another cluster
     */
    public BrickId register(UUID pool, @Nullable BrickId written, NodeId node, String path, long sizeBytes)
            throws MembershipException {
        try {
            Integer known = numberOf(pool);
            if (written != null && (known == null || known != written.value())) {
                throw new MembershipException(
                        MembershipException.Reason.WRONG_CLUSTER,
                        "Pool " + path + " (" + pool + ") says it is brick " + written + ", but this cluster "
                                + (known == null ? "does not know it" : "knows it as " + new BrickId(known))
                                + ": it belongs to another cluster");
            }
            int number = known != null ? known : enter(pool, node, path, sizeBytes);
            BrickRecord record = new BrickRecord(number, pool, node, path, sizeBytes);
            if (!Optional.of(record).equals(find(new BrickId(number)))) {
                curator.setData().forPath(path(number), Znodes.encode(record));
            }
            return new BrickId(number);
        } catch (Exception e) {
            throw Znodes.explain("Registering pool " + path, e);
        }
    }

    public Optional<BrickRecord> find(BrickId brick) throws MembershipException {
        String path = path(brick.value());
        try {
            return Optional.of(Znodes.decode(path, curator.getData().forPath(path), BrickRecord.class));
        } catch (KeeperException.NoNodeException absent) {
            return Optional.empty();
        } catch (Exception e) {
            throw Znodes.explain("Reading " + path, e);
        }
    }

    public Optional<BrickRecord> find(UUID pool) throws MembershipException {
        try {
            Integer number = numberOf(pool);
            return number == null ? Optional.empty() : find(new BrickId(number));
        } catch (Exception e) {
            throw Znodes.explain("Looking for pool " + pool, e);
        }
    }

    public List<BrickRecord> list() throws MembershipException {
        try {
            List<BrickRecord> bricks = new ArrayList<>();
            for (String child : curator.getChildren().forPath(Znodes.BRICKS)) {
                find(new BrickId(Integer.parseInt(child))).ifPresent(bricks::add);
            }
            bricks.sort(Comparator.comparingInt(BrickRecord::brick));
            return bricks;
        } catch (KeeperException.NoNodeException noneYet) {
            return List.of();
        } catch (Exception e) {
            throw Znodes.explain("Listing bricks", e);
        }
    }

    private int enter(UUID pool, NodeId node, String path, long sizeBytes) throws Exception {
        numbers.ensureParents(Znodes.BRICKS, Znodes.POOLS);
        while (true) {
            Stat counter = new Stat();
            int number = numbers.next(counter);
            BrickRecord record = new BrickRecord(number, pool, node, path, sizeBytes);
            try {
                curator.transaction()
                        .forOperations(
                                numbers.take(number, counter),
                                curator.transactionOp()
                                        .create()
                                        .forPath(Znodes.POOLS + "/" + pool, Znodes.encodeNumber(number)),
                                curator.transactionOp().create().forPath(path(number), Znodes.encode(record)));
                return number;
            } catch (KeeperException.BadVersionException | KeeperException.NodeExistsException raced) {
                Integer known = numberOf(pool);
                if (known != null) {
                    return known;
                }
            }
        }
    }

    private @Nullable Integer numberOf(UUID pool) throws Exception {
        String path = Znodes.POOLS + "/" + pool;
        try {
            return Znodes.decodeNumber(path, curator.getData().forPath(path));
        } catch (KeeperException.NoNodeException absent) {
            return null;
        }
    }

    private static String path(int brick) {
        return Znodes.BRICKS + "/" + brick;
    }
}
