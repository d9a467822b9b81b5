package io.tesserafs.node.data;

import io.tesserafs.coherence.lock.LocalLocks;
import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenClient;
import io.tesserafs.coherence.volume.ManifestStore;
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
import java.io.IOException;
import java.nio.file.Path;
import java.util.UUID;

/** A volume on a pool of its own, mounted in this process: everything but the cluster. */
final class MountedVolume implements AutoCloseable {
    private static final UUID VOLUME = new UUID(1, 2);

    private final LocalBrick brick;
    final VolumeOwner owner;
    final TesseraFileSystem files;
    private final FuseMount mount;

    /** A token client that holds everything: one node, no owner. */
    static final class AllTokens implements TokenClient {
        @Override
        public FileTokens open(Resource resource) {
            return new FileTokens() {
                @Override
                public boolean isHeld(long fromByte, long toByte, Mode mode) {
                    return true;
                }

                @Override
                public boolean mayBeCached(long fromByte, long toByte) {
                    return true;
                }

                @Override
                public boolean isHeldSince(long sequence) {
                    return true;
                }

                @Override
                public int tryEnter(long fromByte, long toByte, Mode mode) {
                    return 1;
                }

                @Override
                public int enterNow(long fromByte, long toByte, Mode mode) {
                    return 1;
                }

                @Override
                public int enter(long fromByte, long toByte, Mode mode) {
                    return 1;
                }

                @Override
                public int enterWithPagesLocked(long fromByte, long toByte, Mode mode, LockedPages pages) {
                    return 1;
                }

                @Override
                public void waitWithPagesLocked(LockedPages pages, Wait wait) throws InterruptedException {
                    wait.await();
                }

                @Override
                public void invalidate(long fromByte, long toByte) {}

                @Override
                public void exit(int ticket) {}

                @Override
                public void close() {}
            };
        }

        @Override
        public void onRecall(RecallHandler handler) {}
    }

    MountedVolume(Path poolFile, Path mountPoint, ManifestStore manifest, long epoch) throws Exception {
        brick = LocalBrick.open(Pool.open(poolFile));
        LocalFabric fabric = new LocalFabric();
        fabric.attach(brick);
        BrickClient client = fabric.connect(brick.id(), new SessionId(epoch));
        owner = VolumeOwner.open(
                new VolumeConfig("test", 1, VOLUME, VolumeConfig.DEFAULT_MAX_INODES),
                epoch,
                manifest,
                client,
                true,
                WallClock.nowNs());
        files = new TesseraFileSystem(
                owner,
                new AllTokens(),
                new LocalLocks().service(new SessionId(epoch)),
                BrickSet.only(client),
                DataOptions.defaults());
        mount = FuseMount.mount(mountPoint, files, MountOptions.defaults("test"));
    }

    static void format(Path poolFile, long bytes) throws Exception {
        Pool.create(poolFile, bytes, "test", 1);
    }

    @Override
    public void close() throws IOException {
        mount.close();
        owner.close();
        brick.close();
    }

    public static void main(String[] args) throws Exception {
        Path pool = Path.of(args[0]);
        format(pool, Long.parseLong(args[2]) << 20);
        try (MountedVolume volume = new MountedVolume(pool, Path.of(args[1]), new MemoryManifest(), 1)) {
            System.out.println("mounted " + volume.owner.report());
            volume.mount.join();
        }
    }
}
