package io.tesserafs.node.data;

import io.tesserafs.coherence.lock.LocalLocks;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.coherence.volume.ManifestStore;
import io.tesserafs.fabric.LocalFabric;
import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.MemoryManifest;
import io.tesserafs.node.namespace.OwnerBricks;
import io.tesserafs.node.namespace.VolumeConfig;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.function.UnaryOperator;

/** Nodes of one volume in this process, without kernels: requests go straight to their filesystems. */
final class Nodes implements AutoCloseable {
    private static final UUID VOLUME = new UUID(3, 4);

    private final List<Path> pools = new ArrayList<>();
    private final ManifestStore manifest = new MemoryManifest();
    private final UnaryOperator<BrickClient> wrapper;
    private final UnaryOperator<VolumeService> service;
    private final List<TokenCache> caches = new ArrayList<>();
    final List<TesseraFileSystem> files = new ArrayList<>();
    private final List<LocalBrick> bricks = new ArrayList<>();
    private VolumeOwner owner;
    private long epoch;

    /** @param wrapper what the nodes see of the brick */
    Nodes(Path directory, long poolBytes, int nodes, UnaryOperator<BrickClient> wrapper) throws IOException {
        this(directory, poolBytes, nodes, wrapper, UnaryOperator.identity());
    }

    /** @param service what the nodes see of the owner */
    Nodes(
            Path directory,
            long poolBytes,
            int nodes,
            UnaryOperator<BrickClient> wrapper,
            UnaryOperator<VolumeService> service)
            throws IOException {
        this(directory, poolBytes, 1, nodes, wrapper, service);
    }

    private Nodes(
            Path directory,
            long poolBytes,
            int bricks,
            int nodes,
            UnaryOperator<BrickClient> wrapper,
            UnaryOperator<VolumeService> service)
            throws IOException {
        this.service = service;
        this.wrapper = wrapper;
        for (int brick = 1; brick <= bricks; brick++) {
            Path pool = directory.resolve("pool" + brick);
            Pool.create(pool, poolBytes, "test", brick);
            fillWithGarbage(pool);
            pools.add(pool);
        }
        open(nodes);
    }

    /** All nodes reach all bricks; the first is the owner's. */
    static Nodes onBricks(Path directory, long poolBytes, int bricks, int nodes) throws IOException {
        return onBricks(directory, poolBytes, bricks, nodes, UnaryOperator.identity());
    }

    /** @param service what the nodes see of the owner */
    static Nodes onBricks(Path directory, long poolBytes, int bricks, int nodes, UnaryOperator<VolumeService> service)
            throws IOException {
        return new Nodes(directory, poolBytes, bricks, nodes, UnaryOperator.identity(), service);
    }

    /** Whoever shows bytes that nobody wrote shows these. */
    private static void fillWithGarbage(Path pool) throws IOException {
        try (LocalBrick fresh = LocalBrick.open(Pool.open(pool));
                Arena arena = Arena.ofConfined()) {
            MemorySegment garbage = arena.allocate(BlockId.BLOCK_BYTES).fill((byte) 0xA5);
            BrickClient client = fresh.connect(new SessionId(1));
            BlockId[] all = new BlockId[(int) fresh.info().freeBlocks()];
            Arrays.setAll(all, i -> BlockId.of(9, i));
            client.alloc(all);
            for (BlockId id : all) {
                BlockHandle handle = client.map(id, Access.READ_WRITE);
                handle.write(0, garbage, 0, BlockId.BLOCK_BYTES);
                client.unmap(handle);
            }
            client.free(all);
        }
    }

    private void open(int nodes) throws IOException {
        LocalFabric fabric = new LocalFabric();
        for (Path pool : pools) {
            LocalBrick brick = LocalBrick.open(Pool.open(pool));
            fabric.attach(brick);
            bricks.add(brick);
        }
        epoch++;
        owner = VolumeOwner.open(
                new VolumeConfig("test", 1, VOLUME, VolumeConfig.DEFAULT_MAX_INODES),
                epoch,
                manifest,
                ownerBricks(fabric),
                true,
                false,
                WallClock.nowNs());
        try {
            owner.cutBeyondEnds();
        } catch (FsException e) {
            throw new IOException(e);
        }
        LocalOwner tokens = new LocalOwner();
        LocalLocks locks = new LocalLocks();
        for (int node = 1; node <= nodes; node++) {
            SessionId session = new SessionId(1000 * epoch + node);
            TokenCache cache = new TokenCache(tokens.link(session));
            caches.add(cache);
            files.add(new TesseraFileSystem(
                    service.apply(owner),
                    cache,
                    locks.service(session),
                    brickSet(fabric, session, bricks.get(node % bricks.size()).id()),
                    new DataOptions(0, 0, 0, 5_000, false, node)));
        }
    }

    private OwnerBricks ownerBricks(LocalFabric fabric) throws BrickException {
        Map<BrickId, BrickClient> clients = connect(fabric, new SessionId(epoch));
        BrickId local = bricks.getFirst().id();
        return new OwnerBricks() {
            @Override
            public BrickId local() {
                return local;
            }

            @Override
            public BrickClient client(BrickId brick) {
                return Objects.requireNonNull(clients.get(brick), brick::toString);
            }

            @Override
            public void failed(BrickClient client) {
                throw new AssertionError("nothing fails here: " + client.brick());
            }

            @Override
            public List<BrickId> others() {
                return clients.keySet().stream()
                        .filter(brick -> !brick.equals(local))
                        .toList();
            }
        };
    }

    private BrickSet brickSet(LocalFabric fabric, SessionId session, BrickId home) throws BrickException {
        Map<BrickId, BrickClient> clients = connect(fabric, session);
        clients.replaceAll((brick, client) -> wrapper.apply(client));
        BrickClient ours = Objects.requireNonNull(clients.get(home));
        return clients.size() == 1
                ? BrickSet.only(ours)
                : new BrickSet() {
                    @Override
                    public BrickClient home() {
                        return ours;
                    }

                    @Override
                    public BrickClient client(BrickId brick) {
                        return Objects.requireNonNull(clients.get(brick), brick::toString);
                    }

                    @Override
                    public boolean hasOthers() {
                        return true;
                    }
                };
    }

    private Map<BrickId, BrickClient> connect(LocalFabric fabric, SessionId session) throws BrickException {
        Map<BrickId, BrickClient> clients = new HashMap<>();
        for (LocalBrick brick : bricks) {
            clients.put(brick.id(), fabric.connect(brick.id(), session));
        }
        return clients;
    }

    /** Numbered from 1. */
    int bricks() {
        return bricks.size();
    }

    VolumeOwner owner() {
        return owner;
    }

    /** As SIGKILL of all of them: memory stays, nothing is tidied. */
    void crashAndRecover() throws IOException {
        int nodes = files.size();
        files.clear();
        caches.clear();
        owner.abandon();
        bricks.forEach(LocalBrick::abandon);
        bricks.clear();
        open(nodes);
    }

    @Override
    public void close() throws IOException {
        caches.forEach(TokenCache::close);
        owner.close();
        for (LocalBrick brick : bricks) {
            brick.close();
        }
    }
}
