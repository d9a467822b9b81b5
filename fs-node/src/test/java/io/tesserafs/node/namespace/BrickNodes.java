package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.ManifestStore;
import io.tesserafs.coherence.volume.StaleEpochException;
import io.tesserafs.fabric.LocalFabric;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** Nodes with a brick each, without network: each can own the one volume there is, and each brick can go away and come back. */
final class BrickNodes implements AutoCloseable {
    static final VolumeConfig CONFIG = new VolumeConfig("test", 1, new UUID(7, 9), VolumeConfig.DEFAULT_MAX_INODES);
    private static final long POOL_BYTES = 256L << 20;

    final EpochManifest manifest = new EpochManifest();
    private final Path directory;
    private final Map<Integer, LocalBrick> bricks = new ConcurrentHashMap<>();
    private final Map<Integer, LocalFabric> fabrics = new ConcurrentHashMap<>();
    private final Map<Integer, VolumeOwner> owners = new HashMap<>();
    private final Map<Integer, Reach> reaches = new HashMap<>();
    private final AtomicInteger vainTries = new AtomicInteger();
    private long epoch;
    private long clock = 1_000;

    /** As ZooKeeper's: an owner that was deposed cannot change it. */
    static final class EpochManifest implements ManifestStore {
        private Versioned current = new Versioned(new byte[0], 0);
        private long newest;
        private boolean away;
        private boolean answersLost;
        private int refused;

        synchronized void raise(long epoch) {
            newest = epoch;
        }

        synchronized void away(boolean isAway) {
            away = isAway;
        }

        /** What is written arrives, but nobody hears of it. */
        synchronized void loseAnswers(boolean areLost) {
            answersLost = areLost;
        }

        /** Calls that failed, for all their callers know. */
        synchronized int refused() {
            return refused;
        }

        synchronized int version() {
            return current.version();
        }

        @Override
        public synchronized Versioned read() throws IOException {
            checkThere();
            return current;
        }

        @Override
        public synchronized int write(byte[] bytes, int expectedVersion, long epoch) throws IOException {
            checkThere();
            if (epoch < newest || current.version() != expectedVersion) {
                throw new StaleEpochException("epoch " + epoch + " is over");
            }
            current = new Versioned(bytes, expectedVersion + 1);
            if (answersLost) {
                refused++;
                throw new IOException("no answer");
            }
            return current.version();
        }

        private void checkThere() throws IOException {
            if (away) {
                refused++;
                throw new IOException("away");
            }
        }
    }

    BrickNodes(Path directory, int count) throws IOException {
        this.directory = directory;
        for (int node = 1; node <= count; node++) {
            Pool.create(pool(node), POOL_BYTES, "test", node);
            up(node);
        }
    }

    private Path pool(int node) {
        return directory.resolve("pool" + node);
    }

    /** The node's brick is there. */
    void up(int node) throws IOException {
        LocalBrick brick = LocalBrick.open(Pool.open(pool(node)));
        LocalFabric fabric = new LocalFabric();
        fabric.attach(brick);
        bricks.put(node, brick);
        fabrics.put(node, fabric);
    }

    /** The node dies: its brick is gone, and what it owned. */
    void down(int node) {
        VolumeOwner owned = owners.remove(node);
        if (owned != null) {
            owned.abandon();
        }
        fabrics.remove(node);
        LocalBrick brick = bricks.remove(node);
        if (brick != null) {
            brick.abandon();
        }
    }

    /** It is up, as others hear; but they cannot connect, and are not connected. */
    void cutOff(int node) {
        fabrics.remove(node);
        reaches.values().forEach(reach -> {
            FaultyBrick client = reach.clients.remove(new BrickId(node));
            if (client != null) {
                client.disconnect();
            }
        });
    }

    void reconnect(int node) {
        LocalFabric fabric = new LocalFabric();
        fabric.attach(brick(node));
        fabrics.put(node, fabric);
    }

    /** How often somebody has tried in vain to connect to a brick. */
    int vainTries() {
        return vainTries.get();
    }

    boolean isUp(int node) {
        return bricks.containsKey(node);
    }

    LocalBrick brick(int node) {
        LocalBrick brick = bricks.get(node);
        if (brick == null) {
            throw new IllegalStateException("node " + node + " is down");
        }
        return brick;
    }

    /** A node is elected. Whoever owned the volume before does not know it. */
    VolumeOwner elect(int node) throws IOException {
        return elect(node, false);
    }

    /** {@code heirs}: see {@link VolumeOwner#open}. */
    VolumeOwner elect(int node, boolean heirs) throws IOException {
        epoch++;
        manifest.raise(epoch);
        Reach reach = new Reach(node, OwnerSession.of(CONFIG.uuid(), epoch));
        VolumeOwner owner = VolumeOwner.open(CONFIG, epoch, manifest, reach, true, heirs, now());
        reaches.put(node, reach);
        owners.put(node, owner);
        return owner;
    }

    /** A brick as the owner on that node reaches it. */
    FaultyBrick brickOf(int owner, int brick) throws BrickException {
        Reach reach = reaches.get(owner);
        if (reach == null) {
            throw new IllegalStateException("node " + owner + " has owned nothing");
        }
        return reach.client(new BrickId(brick));
    }

    long now() {
        return ++clock;
    }

    Manifest manifest() throws IOException {
        try {
            return Manifest.decode(manifest.read().bytes());
        } catch (Manifest.BadManifestException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    void awaitMirror(int node) throws IOException {
        while (manifest().mirror() != node) {
            Thread.onSpinWait();
        }
    }

    /** The bricks as one node sees them. */
    private final class Reach implements OwnerBricks {
        private final int node;
        private final SessionId session;
        private final Map<BrickId, FaultyBrick> clients = new ConcurrentHashMap<>();

        Reach(int node, SessionId session) {
            this.node = node;
            this.session = session;
        }

        @Override
        public BrickId local() {
            return new BrickId(node);
        }

        @Override
        public FaultyBrick client(BrickId brick) throws BrickException {
            LocalFabric fabric = fabrics.get(brick.value());
            if (fabric == null) {
                vainTries.incrementAndGet();
                throw new BrickException(Reason.UNREACHABLE, "brick " + brick + " is down");
            }
            FaultyBrick known = clients.get(brick);
            if (known == null) {
                known = new FaultyBrick(fabric.connect(brick, session));
                clients.put(brick, known);
            }
            return known;
        }

        @Override
        public void failed(BrickClient client) {
            clients.remove(client.brick(), client);
            client.close();
        }

        @Override
        public List<BrickId> others() {
            return bricks.keySet().stream()
                    .filter(brick -> brick != node)
                    .map(BrickId::new)
                    .toList();
        }
    }

    @Override
    public void close() {
        List.copyOf(bricks.keySet()).forEach(this::down);
    }
}
