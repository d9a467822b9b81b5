package io.tesserafs.coherence.volume;

import io.tesserafs.coherence.membership.ClusterClient;
import io.tesserafs.coherence.membership.MembershipException;
import io.tesserafs.coherence.membership.NumberAllocator;
import io.tesserafs.coherence.membership.Znodes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The volumes of the cluster. Thread-safe; calls block. */
public final class VolumeRegistry {
    private static final Logger LOG = LoggerFactory.getLogger(VolumeRegistry.class);

    /** A name is a path component in places, so: letters and digits first, then also '.', '_', '-'; at most 63 in all. */
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");

    private final CuratorFramework curator;
    private final NumberAllocator numbers;

    public VolumeRegistry(ClusterClient cluster) {
        this.curator = cluster.curator();
        this.numbers = new NumberAllocator(curator, Znodes.LAST_VOLUME);
    }

    public static boolean isValidName(String name) {
        return NAME.matcher(name).matches();
    }

    /**
     * Makes a volume with an empty manifest and epoch 0, in one transaction.
     *
     * @throws MembershipException EXISTS, EXHAUSTED
     */
    public VolumeInfo create(String name, Map<String, String> options) throws MembershipException {
        if (!isValidName(name)) {
            throw new IllegalArgumentException("'" + name
                    + "' cannot name a volume: 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit");
        }
        try {
            numbers.ensureParents(Znodes.VOLUMES, Znodes.NAMES);
            while (true) {
                Optional<VolumeInfo> present = find(name);
                if (present.isPresent()) {
                    throw new MembershipException(
                            MembershipException.Reason.EXISTS,
                            present.get().state() == VolumeInfo.State.DELETING
                                    ? "Volume '" + name + "' is still being deleted"
                                    : "There is a volume '" + name + "' already");
                }
                Stat counter = new Stat();
                int number = numbers.next(counter);
                VolumeInfo volume = new VolumeInfo(
                        number, UUID.randomUUID(), name, VolumeInfo.State.ACTIVE, options, System.currentTimeMillis());
                if (tryCreate(volume, counter)) {
                    return volume;
                }
            }
        } catch (Exception e) {
            throw Znodes.explain("Creating volume '" + name + "'", e);
        }
    }

    public Optional<VolumeInfo> find(int number) throws MembershipException {
        String path = new VolumePaths(number).record();
        try {
            return Optional.of(Znodes.decode(path, curator.getData().forPath(path), VolumeInfo.class));
        } catch (KeeperException.NoNodeException absent) {
            return Optional.empty();
        } catch (Exception e) {
            throw Znodes.explain("Reading " + path, e);
        }
    }

    public Optional<VolumeInfo> find(String name) throws MembershipException {
        if (!isValidName(name)) {
            return Optional.empty();
        }
        String path = Znodes.NAMES + "/" + name;
        try {
            return find(Znodes.decodeNumber(path, curator.getData().forPath(path)));
        } catch (KeeperException.NoNodeException absent) {
            return Optional.empty();
        } catch (Exception e) {
            throw Znodes.explain("Looking for volume '" + name + "'", e);
        }
    }

    /** All volumes by number, those being deleted too. */
    public List<VolumeInfo> list() throws MembershipException {
        try {
            List<VolumeInfo> volumes = new ArrayList<>();
            for (String child : curator.getChildren().forPath(Znodes.VOLUMES)) {
                find(Integer.parseInt(child)).ifPresent(volumes::add);
            }
            volumes.sort(Comparator.comparingInt(VolumeInfo::number));
            return volumes;
        } catch (KeeperException.NoNodeException noneYet) {
            return List.of();
        } catch (Exception e) {
            throw Znodes.explain("Listing volumes", e);
        }
    }

    /** First half of a deletion; idempotent. From now on nobody may mount the volume; its blocks may be freed. */
    public VolumeInfo markDeleting(int number) throws MembershipException {
        String path = new VolumePaths(number).record();
        try {
            while (true) {
                Stat stat = new Stat();
                VolumeInfo volume = Znodes.decode(
                        path, curator.getData().storingStatIn(stat).forPath(path), VolumeInfo.class);
                if (volume.state() == VolumeInfo.State.DELETING) {
                    return volume;
                }
                VolumeInfo deleting = volume.with(VolumeInfo.State.DELETING);
                try {
                    curator.setData().withVersion(stat.getVersion()).forPath(path, Znodes.encode(deleting));
                    return deleting;
                } catch (KeeperException.BadVersionException raced) {
                    LOG.debug("Volume {} was changed meanwhile: read it again", number, raced);
                }
            }
        } catch (Exception e) {
            throw Znodes.explain("Deleting volume " + number, e);
        }
    }

    /**
     * Second half, when all blocks are free and the election was closed: the volume is gone and its name free; the number is not
     * given out again. Idempotent.
     */
    public void remove(int number) throws MembershipException {
        Optional<VolumeInfo> found = find(number);
        if (found.isEmpty()) {
            return;
        }
        if (found.get().state() != VolumeInfo.State.DELETING) {
            throw new IllegalStateException("volume " + number + " was not marked for deletion");
        }
        VolumePaths paths = new VolumePaths(number);
        try {
            curator.delete().quietly().deletingChildrenIfNeeded().forPath(paths.sessions());
            curator.transaction()
                    .forOperations(
                            curator.transactionOp().delete().forPath(paths.election()),
                            curator.transactionOp().delete().forPath(paths.manifest()),
                            curator.transactionOp().delete().forPath(paths.epoch()),
                            curator.transactionOp().delete().forPath(paths.record()),
                            curator.transactionOp()
                                    .delete()
                                    .forPath(Znodes.NAMES + "/" + found.get().name()));
        } catch (KeeperException.NoNodeException raced) {
            return; // all of it goes in one transaction: someone else removed it
        } catch (Exception e) {
            throw Znodes.explain("Removing volume " + number, e);
        }
    }

    private boolean tryCreate(VolumeInfo volume, Stat counter) throws Exception {
        VolumePaths paths = new VolumePaths(volume.number());
        byte[] empty = new byte[0];
        try {
            curator.transaction()
                    .forOperations(
                            numbers.take(volume.number(), counter),
                            curator.transactionOp()
                                    .create()
                                    .forPath(Znodes.NAMES + "/" + volume.name(), Znodes.encodeNumber(volume.number())),
                            curator.transactionOp().create().forPath(paths.record(), Znodes.encode(volume)),
                            curator.transactionOp()
                                    .create()
                                    .forPath(paths.epoch(), Znodes.encode(new EpochRecord(0, null))),
                            curator.transactionOp().create().forPath(paths.manifest(), empty),
                            curator.transactionOp().create().forPath(paths.election(), empty));
            return true;
        } catch (KeeperException.BadVersionException | KeeperException.NodeExistsException raced) {
            return false;
        }
    }
}
