package io.tesserafs.node.namespace;

import io.tesserafs.fabric.LocalFabric;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** A volume's owner over a pool of its own, that can die and come back. */
public final class OwnerFixture implements AutoCloseable {
    static final Creator ROOT_USER = new Creator(0, 0);
    private static final UUID VOLUME = new UUID(7, 9);

    private final Path pool;
    private final long maxInodes;
    private boolean keepOrphans;
    private boolean heirs;
    final MemoryManifest manifest = new MemoryManifest();
    private LocalBrick brick;
    private long epoch;
    private long clock = 1_000;
    VolumeOwner owner;
    FaultyBrick client;

    public OwnerFixture(Path directory, long poolBytes, long maxInodes) throws IOException {
        this.pool = directory.resolve("pool");
        this.maxInodes = maxInodes;
        Pool.create(pool, poolBytes, "test", 1);
        start(true);
    }

    public OwnerFixture(Path directory) throws IOException {
        this(directory, 256L << 20, VolumeConfig.DEFAULT_MAX_INODES);
    }

    /** From the next start on. */
    public void keepOrphans() {
        keepOrphans = true;
    }

    /** From the next start on there are nodes that have space from the last owner, until the test says otherwise. */
    public void expectHeirs() {
        heirs = true;
    }

    /** As when heirs have had their time. */
    void endAdoption() {
        owner.core().lock.lock();
        try {
            owner.core().spaces.endAdoption(System.nanoTime() + Space.ADOPTION_NS);
        } finally {
            owner.core().lock.unlock();
        }
    }

    public FaultyBrick brick() {
        return client;
    }

    public VolumeOwner owner() {
        return owner;
    }

    /** A checkpoint is written while calls go on. */
    public void checkpoint() {
        owner.keeper().checkpointSoon();
    }

    Path pool() {
        return pool;
    }

    void start(boolean sameBoot) throws IOException {
        brick = LocalBrick.open(Pool.open(pool));
        boolean started = false;
        try {
            LocalFabric fabric = new LocalFabric();
            fabric.attach(brick);
            epoch++;
            client = new FaultyBrick(fabric.connect(brick.id(), new SessionId(epoch)));
            VolumeConfig config = new VolumeConfig("test", 1, VOLUME, maxInodes);
            owner = keepOrphans || heirs
                    ? VolumeOwner.open(config, epoch, manifest, OwnerBricks.only(client), sameBoot, true, now())
                    : VolumeOwner.open(config, epoch, manifest, client, sameBoot, now());
            if (!heirs) {
                endAdoption();
            }
            started = true;
        } finally {
            if (!started) {
                brick.abandon();
            }
        }
    }

    /** As SIGKILL: what is in memory stays, nothing is tidied. */
    void die() {
        owner.abandon();
        brick.abandon();
    }

    public void crashAndRestart() throws IOException {
        die();
        start(true);
    }

    void stop() throws IOException {
        owner.close();
        brick.close();
    }

    long now() {
        return ++clock;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    long mkdir(long parent, String name) throws FsException {
        return owner.create(parent, bytes(name), InodeAttr.S_IFDIR | 0755, 0, null, ROOT_USER, now())
                .ino();
    }

    long file(long parent, String name) throws FsException {
        return owner.create(parent, bytes(name), InodeAttr.S_IFREG | 0644, 0, null, ROOT_USER, now())
                .ino();
    }

    /** Gives a file one extent of {@code length} bytes in tile {@code tile}. */
    ExtentRef extend(long ino, long tile, int length, boolean durable) throws FsException {
        ExtentRef ref = owner.allocate(length, new BrickId(1));
        commit(ino, List.of(new Extent(tile, ref, length)), (tile << 21) + length, durable);
        return ref;
    }

    void commit(long ino, List<Extent> extents, long size, boolean durable) throws FsException {
        long t = now();
        owner.commit(ino, new DataCommit(extents, new long[0], size, t, t, t, durable, false));
    }

    List<String> names(long dir) throws FsException {
        List<String> names = new ArrayList<>();
        owner.readdir(dir, 0, (name, cookie, attr) -> {
            names.add(new String(name, StandardCharsets.UTF_8));
            return true;
        });
        return names;
    }

    public CheckReport check() throws IOException {
        return VolumeChecker.checkOnline(owner);
    }

    @Override
    public void close() {
        die();
    }
}
