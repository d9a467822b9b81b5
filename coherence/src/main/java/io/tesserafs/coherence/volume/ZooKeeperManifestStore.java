package io.tesserafs.coherence.volume;

import io.tesserafs.coherence.membership.ClusterClient;
import io.tesserafs.coherence.membership.MembershipException;
import io.tesserafs.coherence.membership.Znodes;
import java.io.IOException;
import java.util.Arrays;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;
import org.jspecify.annotations.Nullable;

/**
 * The manifest of one volume, in an entry of its own, fenced by the entry of the volume's epoch.
 *
 * <p>A write is one transaction: <em>the epoch entry is unchanged since it held my epoch</em>, and <em>the manifest has the version
 * I expect</em>. A new owner raises the epoch before it reads the manifest, so from that moment every write of its predecessor
 * fails, however late it arrives: no clock is involved.
 */
public final class ZooKeeperManifestStore implements ManifestStore {
    /** ZooKeeper refuses packets of 1 MiB; a manifest is a few KiB (a line per 2 MiB segment or checkpoint block). */
    public static final int MAX_BYTES = 512 << 10;

    private final CuratorFramework curator;
    private final VolumePaths paths;

    /** The version of the epoch entry when it held that epoch. Later epochs only ever raise the version. */
    private record Fence(long epoch, int version) {}

    private volatile @Nullable Fence fence;

    public ZooKeeperManifestStore(ClusterClient cluster, int volume) {
        this.curator = cluster.curator();
        this.paths = new VolumePaths(volume);
    }

    @Override
    public Versioned read() throws MembershipException {
        try {
            Stat stat = new Stat();
            byte[] bytes = curator.getData().storingStatIn(stat).forPath(paths.manifest());
            return new Versioned(bytes, stat.getVersion());
        } catch (Exception e) {
            throw Znodes.explain("Reading the manifest of volume " + paths.number(), e);
        }
    }

    @Override
    public int write(byte[] bytes, int expectedVersion, long epoch) throws IOException, StaleEpochException {
        if (bytes.length > MAX_BYTES) {
            throw new IllegalArgumentException("a manifest of " + bytes.length + " bytes; the limit is " + MAX_BYTES);
        }
        Fence current = fenceOf(epoch);
        try {
            curator.transaction()
                    .forOperations(
                            curator.transactionOp()
                                    .check()
                                    .withVersion(current.version())
                                    .forPath(paths.epoch()),
                            curator.transactionOp()
                                    .setData()
                                    .withVersion(expectedVersion)
                                    .forPath(paths.manifest(), bytes));
            return expectedVersion + 1;
        } catch (KeeperException.BadVersionException e) {
            return explainConflict(bytes, expectedVersion, epoch, e);
        } catch (Exception e) {
            throw Znodes.explain("Writing the manifest of volume " + paths.number(), e);
        }
    }

    /** A write may have been done although its answer was lost; the repeated one then conflicts with itself. */
    private int explainConflict(byte[] bytes, int expectedVersion, long epoch, Exception cause) throws IOException {
        fence = null;
        fenceOf(epoch);
        Versioned now = read();
        if (now.version() == expectedVersion + 1 && Arrays.equals(now.bytes(), bytes)) {
            return now.version();
        }
        throw new MembershipException(
                MembershipException.Reason.CONFLICT,
                "The manifest of volume " + paths.number() + " has version " + now.version() + ", not "
                        + expectedVersion + ", though the epoch is " + epoch + " still",
                cause);
    }

    private Fence fenceOf(long epoch) throws IOException {
        Fence known = fence;
        if (known != null && known.epoch() == epoch) {
            return known;
        }
        EpochRecord newest;
        Stat stat = new Stat();
        try {
            newest = Znodes.decode(
                    paths.epoch(), curator.getData().storingStatIn(stat).forPath(paths.epoch()), EpochRecord.class);
        } catch (Exception e) {
            throw Znodes.explain("Reading the epoch of volume " + paths.number(), e);
        }
        if (newest.epoch() > epoch) {
            throw new StaleEpochException("Epoch " + epoch + " of volume " + paths.number() + " is over: node "
                    + newest.owner() + " owns it in epoch " + newest.epoch());
        }
        if (newest.epoch() < epoch) {
            throw new MembershipException(
                    MembershipException.Reason.DAMAGED,
                    "Volume " + paths.number() + " is at epoch " + newest.epoch() + ", yet someone writes in epoch "
                            + epoch + ": ZooKeeper has lost data");
        }
        Fence read = new Fence(epoch, stat.getVersion());
        fence = read;
        return read;
    }
}
