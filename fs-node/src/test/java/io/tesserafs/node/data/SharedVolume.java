package io.tesserafs.node.data;

import io.tesserafs.coherence.lock.LocalLocks;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.fabric.LocalFabric;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fuse.mount.FuseMount;
import io.tesserafs.fuse.mount.MountOptions;
import io.tesserafs.node.namespace.MemoryManifest;
import io.tesserafs.node.namespace.VolumeConfig;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.UnaryOperator;

/** One volume mounted several times in this process, each mount a node with a session and tokens of its own. */
final class SharedVolume implements AutoCloseable {
    private final LocalBrick brick;
    private final VolumeOwner owner;
    private final LocalOwner tokens = new LocalOwner();
    private final LocalLocks locks = new LocalLocks();
    private final List<FuseMount> mounts = new ArrayList<>();
    private final List<TokenCache> caches = new ArrayList<>();
    private final List<Path> paths = new ArrayList<>();

    SharedVolume(Path directory, int nodes) throws Exception {
        this(directory, nodes, UnaryOperator.identity());
    }

    /** @param service what the nodes see of the owner */
    SharedVolume(Path directory, int nodes, UnaryOperator<VolumeService> service) throws Exception {
        Path pool = directory.resolve("pool");
        Pool.create(pool, 512L << 20, "test", 1);
        brick = LocalBrick.open(Pool.open(pool));
        LocalFabric fabric = new LocalFabric();
        fabric.attach(brick);
        owner = VolumeOwner.open(
                new VolumeConfig("test", 1, new UUID(1, 2), VolumeConfig.DEFAULT_MAX_INODES),
                1,
                new MemoryManifest(),
                fabric.connect(brick.id(), new SessionId(1)),
                true,
                WallClock.nowNs());
        for (int node = 1; node <= nodes; node++) {
            SessionId session = session(node);
            BrickClient client = fabric.connect(brick.id(), session);
            TokenCache cache = new TokenCache(tokens.link(session));
            caches.add(cache);
            DataOptions options = new DataOptions(5_000_000_000L, 5_000_000_000L, 5_000_000_000L, 5_000, false, node);
            TesseraFileSystem files = new TesseraFileSystem(
                    service.apply(owner), cache, locks.service(session), BrickSet.only(client), options);
            files.alone(nodes == 1);
            Path path = Files.createDirectory(directory.resolve("mnt" + node));
            mounts.add(FuseMount.mount(path, files, MountOptions.defaults("test")));
            paths.add(path);
        }
    }

    Path mount(int node) {
        return paths.get(node - 1);
    }

    /** As when the session of a node is over, as far as locks go. */
    void loseLocks(int node) {
        locks.endSession(session(node)).join();
    }

    private static SessionId session(int node) {
        return new SessionId(100 + node);
    }

    @Override
    public void close() throws IOException {
        for (FuseMount mount : mounts) {
            mount.close();
        }
        caches.forEach(TokenCache::close);
        owner.close();
        brick.close();
    }

    /** For trying by hand: directory, nodes. */
    public static void main(String[] args) throws Exception {
        try (SharedVolume volume = new SharedVolume(Path.of(args[0]), Integer.parseInt(args[1]))) {
            System.out.println("mounted " + volume.paths);
            for (FuseMount mount : volume.mounts) {
                mount.join();
            }
        }
    }
}
