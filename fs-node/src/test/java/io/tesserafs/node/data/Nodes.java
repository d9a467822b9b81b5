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
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.MemoryManifest;
import io.tesserafs.node.namespace.VolumeConfig;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.function.UnaryOperator;

/** Nodes of one volume in this process, without kernels: requests go straight to their filesystems. */
final class Nodes implements AutoCloseable {
    private static final UUID VOLUME = new UUID(3, 4);

    private final Path pool;
    private final ManifestStore manifest = new MemoryManifest();
    private final UnaryOperator<BrickClient> wrapper;
    private final UnaryOperator<VolumeService> service;
    private final List<TokenCache> caches = new ArrayList<>();
    final List<TesseraFileSystem> files = new ArrayList<>();
    private LocalBrick brick;
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
        this.service = service;
        this.pool = directory.resolve("pool");
        this.wrapper = wrapper;
        Pool.create(pool, poolBytes, "test", 1);
        fillWithGarbage();
        open(nodes);
    }

    /** Whoever shows bytes that nobody wrote shows these. */
    private void fillWithGarbage() throws IOException {
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
        brick = LocalBrick.open(Pool.open(pool));
        LocalFabric fabric = new LocalFabric();
        fabric.attach(brick);
        epoch++;
        owner = VolumeOwner.open(
                new VolumeConfig("test", 1, VOLUME, VolumeConfig.DEFAULT_MAX_INODES),
                epoch,
                manifest,
                fabric.connect(brick.id(), new SessionId(epoch)),
                true,
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
            BrickClient client = wrapper.apply(connect(fabric, session));
            files.add(new TesseraFileSystem(
                    service.apply(owner),
                    cache,
                    locks.service(session),
                    BrickSet.only(client),
                    new DataOptions(0, 0, 0, 5_000, false, node)));
        }
    }

    private BrickClient connect(LocalFabric fabric, SessionId session) throws BrickException {
        return fabric.connect(brick.id(), session);
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
        brick.abandon();
        open(nodes);
    }

    @Override
    public void close() throws IOException {
        caches.forEach(TokenCache::close);
        owner.close();
        brick.close();
    }
}
