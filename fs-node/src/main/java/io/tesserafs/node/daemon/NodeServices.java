package io.tesserafs.node.daemon;

import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.coherence.volume.VolumeRegistry;
import io.tesserafs.fuse.protocol.SessionOptions;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.config.NodeConfig.MountConfig;
import io.tesserafs.node.config.Size;
import io.tesserafs.node.metrics.NodeMetrics;
import io.tesserafs.node.session.OwnedVolume;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a daemon runs, without its outer shell (lock, pid file, admin socket): pool and brick, coordination, volumes, mounts. Changes come one
 * at a time, under this object's monitor.
 */
final class NodeServices implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NodeServices.class);

    /** The volume that every cluster has. */
    static final String DEFAULT_VOLUME = "main";

    /** Election and replay; a million inodes take seconds. */
    private static final Duration OPEN_TIMEOUT = Duration.ofMinutes(10);

    private static final long MAINTAIN_MS = 2000;
    /** Other nodes may have lost power as well, and start about now. */
    private static final Duration SETTLE_TIMEOUT = Duration.ofMinutes(2);

    private static final long SETTLE_RETRY_MS = 250;

    private final Resources resources = new Resources();
    private final NodeConfig config;
    private final NodeMetrics metrics;
    /** Under the monitor; synchronized in itself for {@link #ownedHere}. */
    private final Map<String, OpenVolume> volumes = Collections.synchronizedMap(new LinkedHashMap<>());
    /** Seen before; whoever deletes them had the time to do it all. The timer's. */
    private final Set<Integer> seenDeleting = new HashSet<>();

    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("tessera-volumes").factory());
    private @Nullable ExportedBrick brick;
    private @Nullable Coordination coordination;
    private @Nullable NodeFabric fabric;
    private Coordination.@Nullable FailureListener onFailure;
    private boolean closed;

    NodeServices(NodeConfig config, NodeMetrics metrics) {
        this.config = config;
        this.metrics = metrics;
    }

    /** Not to be repeated. What it took before it failed, {@link #close} releases. */
    synchronized void start(Coordination.FailureListener listener) throws IOException, StartException {
        onFailure = listener;
        ExportedBrick exported = resources.add("brick", ExportedBrick.open(config.pool()));
        brick = exported;
        Coordination joined = resources.add("coordination", Coordination.start(config, exported.cluster(), listener));
        coordination = joined;
        exported.export(joined);
        NodeFabric reach = resources.add("fabric", new NodeFabric(config.fabric(), joined, exported.fabric()));
        fabric = reach;
        metrics.counter("peer.calls.served", reach::callsServed);
        reach.admin()
                .serve(LooseData.handlers(
                        this::ownedHere)); // nodes that start with this one wait for it, and it may for them
        reach.start(exported.brick());
        VolumeRegistry registry = joined.volumes();
        createDefaultVolume(registry);
        for (VolumeInfo info : registry.list()) {
            if (info.state() == VolumeInfo.State.ACTIVE) {
                open(info).awaitOwner(OPEN_TIMEOUT);
            } else {
                erase(info);
            }
        }
        settleAll(exported);
        for (MountConfig mount : config.mounts()) {
            OpenVolume volume = volumes.get(mount.volume());
            if (volume == null) {
                throw new StartException("there is no volume " + mount.volume() + " to mount at " + mount.path());
            }
            volume.mount(mount);
        }
        var _ = timer.scheduleWithFixedDelay(this::maintain, MAINTAIN_MS, MAINTAIN_MS, TimeUnit.MILLISECONDS);
    }

    /** Waits for the owners of volumes that are to be mounted; others are asked again later. */
    private void settleAll(ExportedBrick exported) throws IOException, StartException {
        Set<String> mounted = config.mounts().stream().map(MountConfig::volume).collect(Collectors.toSet());
        long end = System.nanoTime() + SETTLE_TIMEOUT.toNanos();
        while (!settle(exported)) {
            boolean waits = volumes.values().stream()
                    .anyMatch(volume -> mounted.contains(volume.info().name())
                            && !exported.isSettled(volume.info().number()));
            if (!waits) {
                return;
            }
            if (System.nanoTime() > end) {
                throw new StartException(
                        "this host has lost its memory, and no owner of the volumes to mount says what of "
                                + "them was not durable; start the other nodes as well, and this one again");
            }
            pause();
        }
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(SETTLE_RETRY_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
    }

    /** False if there are volumes left of which it is not known what was lost with the host's memory. */
    private synchronized boolean settle(ExportedBrick exported) throws IOException {
        if (exported.isRecovered()) {
            return true;
        }
        LooseData loose = new LooseData(new ClusterOwners(this), exported);
        boolean all = true;
        for (OpenVolume volume : List.copyOf(volumes.values())) {
            all &= volume.owner().isPresent() || loose.settle(volume);
        }
        if (all) {
            exported.recovered();
        }
        return all;
    }

    private void createDefaultVolume(VolumeRegistry registry) throws IOException {
        if (registry.find(DEFAULT_VOLUME).isEmpty()) {
            try {
                registry.create(DEFAULT_VOLUME, Ownership.options(config.coordination()));
            } catch (IOException e) {
                if (registry.find(DEFAULT_VOLUME).isEmpty()) {
                    throw e;
                }
                LOG.info("another node made volume {} at the same time", DEFAULT_VOLUME);
            }
        }
    }

    private OpenVolume open(VolumeInfo info) throws IOException {
        OpenVolume volume = new OpenVolume(info, coordination(), brick(), fabric(), metrics, listener());
        boolean opened = false;
        try {
            volume.start();
            volumes.put(info.name(), volume);
            opened = true;
            return volume;
        } finally {
            if (!opened) {
                volume.close();
            }
        }
    }

    ExportedBrick brick() {
        return running(brick);
    }

    Coordination coordination() {
        return running(coordination);
    }

    NodeFabric fabric() {
        return running(fabric);
    }

    private Coordination.FailureListener listener() {
        return running(onFailure);
    }

    private static <T> T running(@Nullable T part) {
        if (part == null) {
            throw new IllegalStateException("not started");
        }
        return part;
    }

    synchronized Optional<OpenVolume> volume(String name) {
        refresh();
        return Optional.ofNullable(volumes.get(name));
    }

    /** The volume, if this node owns it. Takes no lock, so that nodes may ask each other. */
    Optional<OwnedVolume> ownedHere(String name) {
        OpenVolume known = volumes.get(name);
        return known == null ? Optional.empty() : known.ownership().volume();
    }

    OpenVolume require(String name) throws AdminException {
        return volume(name).orElseThrow(() -> new AdminException(Code.NOT_FOUND, "there is no volume " + name));
    }

    /** All that the cluster has, as far as this node knows; see {@link #refresh}. */
    synchronized List<OpenVolume> volumes() {
        return List.copyOf(volumes.values());
    }

    /** Learns which volumes other nodes have made or deleted. While ZooKeeper cannot be asked, what is known stays. */
    synchronized void refresh() {
        if (closed || !coordination().connected()) {
            return;
        }
        try {
            Map<Integer, VolumeInfo> active = new HashMap<>();
            for (VolumeInfo info : coordination().volumes().list()) {
                if (info.state() == VolumeInfo.State.ACTIVE) {
                    active.put(info.number(), info);
                }
            }
            for (OpenVolume known : volumes()) {
                boolean gone = active.remove(known.info().number()) == null;
                if (gone && known.mountPoint() == null) {
                    volumes.remove(known.info().name());
                    known.close();
                }
            }
            for (VolumeInfo info : active.values()) {
                open(info);
            }
        } catch (IOException e) {
            LOG.warn("the list of volumes cannot be brought up to date: {}", e.getMessage());
        }
    }

    synchronized OpenVolume createVolume(String name) throws IOException, StartException {
        OpenVolume volume = open(coordination().volumes().create(name, Ownership.options(config.coordination())));
        volume.awaitOwner(OPEN_TIMEOUT);
        return volume;
    }

    /** The volume is not mounted. Returns how many blocks are free again. */
    synchronized long deleteVolume(OpenVolume volume) throws IOException {
        VolumeInfo info = volume.info();
        coordination().volumes().markDeleting(info.number());
        volumes.remove(info.name());
        volume.close();
        removal().letGoElsewhere(info);
        try {
            return removal().erase(info);
        } catch (IOException e) {
            LOG.info("volume {} is deleted as soon as all nodes and bricks take part: {}", info.name(), e.getMessage());
            return 0;
        }
    }

    /** Lets go of a volume that another node deletes. */
    synchronized void forget(String name) throws IOException {
        OpenVolume known = volumes.get(name);
        boolean deleting = known != null
                && coordination()
                        .volumes()
                        .find(known.info().number())
                        .map(info -> info.state() == VolumeInfo.State.DELETING)
                        .orElse(true);
        if (known != null && deleting && known.mountPoint() == null) {
            volumes.remove(name);
            known.close();
        }
    }

    /** Goes on with what a deletion could not do at once. */
    private void erase(VolumeInfo info) {
        try {
            removal().erase(info);
        } catch (IOException e) {
            LOG.info("volume {} is not quite deleted yet: {}", info.name(), e.getMessage());
        }
    }

    private VolumeRemoval removal() {
        return new VolumeRemoval(coordination(), fabric());
    }

    /** Learns of volumes, so that this node is a candidate for all, and ends deletions that stopped half-way. */
    private void maintain() {
        try {
            refresh();
            List<VolumeInfo> deleting = new ArrayList<>();
            if (coordination().connected()) {
                for (VolumeInfo info : coordination().volumes().list()) {
                    if (info.state() == VolumeInfo.State.DELETING) {
                        deleting.add(info);
                    }
                }
            }
            settle(brick());
            deleting.stream().filter(info -> !seenDeleting.add(info.number())).forEach(this::erase);
        } catch (IOException e) {
            LOG.debug("volumes cannot be looked after now", e);
        } catch (RuntimeException e) {
            LOG.error("looking after volumes failed", e);
        }
    }

    synchronized void mount(OpenVolume volume, Path path) throws IOException {
        if (volume.owner().isEmpty() && !new LooseData(new ClusterOwners(this), brick()).settle(volume)) {
            throw new IOException("this host has lost its memory, and the owner of volume "
                    + volume.info().name() + " does not say what of it was not durable; try again when it is there");
        }
        MountConfig given = config.mounts().stream()
                .filter(m -> m.volume().equals(volume.info().name()))
                .findFirst()
                .orElseGet(() -> config.mounts().stream().findFirst().orElse(DEFAULTS));
        volume.mount(new MountConfig(
                volume.info().name(),
                path,
                given.allowOther(),
                given.readerThreads(),
                given.cacheTimeout(),
                given.readAhead(),
                given.fuseMinor()));
    }

    private static final MountConfig DEFAULTS = new MountConfig(
            DEFAULT_VOLUME, Path.of("/"), true, 0, Duration.ofSeconds(5), new Size(1 << 20), SessionOptions.MINOR_MAX);

    synchronized Optional<OpenVolume> mountedAt(Path path) {
        return volumes.values().stream()
                .filter(v -> path.equals(v.mountPoint()))
                .findFirst();
    }

    /** Unmounts everything. If something is busy and not {@code force}, it throws and what is busy stays. */
    synchronized void unmountAll(boolean force) throws IOException {
        for (OpenVolume volume : volumes.values()) {
            volume.unmount(force);
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        timer.shutdownNow();
        List<OpenVolume> open = new ArrayList<>(volumes.values());
        volumes.clear();
        for (OpenVolume volume : open) {
            try {
                volume.close();
            } catch (IOException | RuntimeException e) {
                LOG.error("closing volume {} failed", volume.info().name(), e);
            }
        }
        resources.close();
    }
}
