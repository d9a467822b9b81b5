package io.tesserafs.node.daemon;

import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.coherence.token.TokenCounters;
import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fuse.mount.FuseMount;
import io.tesserafs.fuse.mount.MountOptions;
import io.tesserafs.node.config.NodeConfig.MountConfig;
import io.tesserafs.node.data.DataOptions;
import io.tesserafs.node.data.Relocated;
import io.tesserafs.node.data.TesseraFileSystem;
import io.tesserafs.node.metrics.NodeMetrics;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.session.NodeSession;
import io.tesserafs.node.session.OwnedVolume;
import io.tesserafs.node.session.OwnerFinder;
import io.tesserafs.node.session.SessionCounters;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One volume on this node: its owner, if that is here, and at most one mount of it, with this node's session. Methods that change
 * something are serialised by the caller ({@link NodeServices}).
 */
final class OpenVolume implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OpenVolume.class);
    /** Another node may be on its way to own the volume, and replay takes its time. */
    private static final long ATTACH_TIMEOUT_MS = 120_000;

    private static final int COMMIT_INTERVAL_MS = 5_000;

    private final VolumeInfo info;
    private final Coordination coordination;
    private final ExportedBrick brick;
    private final NodeFabric fabric;
    private final NodeMetrics metrics;
    private final Ownership ownership;
    private final OwnerPlace ownerPlace;
    private volatile @Nullable Mounted mounted;

    /** A mount and what serves it. */
    private record Mounted(Path path, FuseMount mount, TesseraFileSystem files, Attachment attachment) {}

    /** This node's session, and what lives with it. */
    private final class Attachment implements NodeSession.Node {
        private final TokenCache tokens = new TokenCache(TokenCache.DEFAULT_MAX_UNUSED);
        private final SessionBricks bricks;
        private final NodeSession session;
        /** Guarded by this, as is the next. */
        private @Nullable TesseraFileSystem files;

        private boolean isAlone;

        Attachment() {
            this.bricks = new SessionBricks(fabric.fabric(), brick.brick().id(), fabric::hasOthers);
            this.session = new NodeSession(
                    info.number(), coordination.node().value(), new Finder(), fabric.sessions(), tokens, this);
        }

        @Override
        public synchronized void alone(boolean alone) {
            isAlone = alone;
            if (files != null) {
                files.alone(alone);
            }
        }

        @Override
        public synchronized void sessionLost() {
            isAlone = false;
            if (files != null) {
                files.sessionLost();
            }
        }

        @Override
        public void orphaned(long ino) {
            Thread.startVirtualThread(() -> {
                TesseraFileSystem opened;
                synchronized (this) {
                    opened = files;
                }
                if (opened == null) {
                    session.service().unreferenced(ino);
                } else {
                    opened.orphaned(ino);
                }
            });
        }

        @Override
        public void sessionBegins(SessionId id) {
            ownership.ownSession(id);
            try {
                bricks.begin(id);
            } catch (BrickException e) {
                throw new IllegalStateException("this node's own brick refuses a new session", e);
            }
        }

        @Override
        public boolean hasRivals() {
            return fabric.hasOthers();
        }

        synchronized TesseraFileSystem open(DataOptions options) {
            TesseraFileSystem opened =
                    new TesseraFileSystem(session.service(), tokens, session.locks(), bricks, options);
            files = opened;
            opened.alone(isAlone);
            return opened;
        }

        void close() {
            session.close();
            tokens.close();
            bricks.close();
        }
    }

    OpenVolume(
            VolumeInfo info,
            Coordination coordination,
            ExportedBrick brick,
            NodeFabric fabric,
            NodeMetrics metrics,
            Coordination.FailureListener onFailure) {
        this.info = info;
        this.coordination = coordination;
        this.brick = brick;
        this.fabric = fabric;
        this.metrics = metrics;
        this.ownership = new Ownership(info, coordination, brick, fabric, onFailure, this::ownerDoubted);
        this.ownerPlace = new OwnerPlace(
                coordination::connected, () -> ownership.registry().owner());
    }

    private void ownerDoubted() {
        Mounted current = mounted;
        if (current != null) {
            current.attachment.session.ownerDoubted();
        }
    }

    VolumeInfo info() {
        return info;
    }

    Ownership ownership() {
        return ownership;
    }

    /** The owner, if it is here. */
    Optional<VolumeOwner> owner() {
        return ownership.owner();
    }

    /** The owner, here or through the mount's session; empty if neither is there. */
    Optional<VolumeService> service() {
        Mounted current = mounted;
        Optional<VolumeService> here = owner().map(owner -> (VolumeService) owner);
        return here.isPresent() || current == null ? here : Optional.of(current.attachment.session.service());
    }

    @Nullable
    Path mountPoint() {
        Mounted current = mounted;
        return current == null ? null : current.path;
    }

    /** This node can own the volume from now on. */
    void start() throws IOException {
        ownership.start();
    }

    /** After {@link #start}: returns once this node owns the volume, or another does. */
    void awaitOwner(Duration timeout) throws StartException {
        ownership.awaitSettled(timeout);
    }

    private final class Finder implements OwnerFinder {
        @Override
        public Whereabouts find(int volume) throws IOException {
            return findOwner(volume);
        }

        @Override
        public boolean isVacant(int volume, long epoch) throws IOException {
            return ownership.isVacant(epoch);
        }
    }

    private OwnerFinder.Whereabouts findOwner(int volume) throws IOException {
        Optional<OwnedVolume> here = ownership.volume();
        if (here.isPresent()) {
            return new OwnerFinder.Whereabouts(here.get(), null);
        }
        NodeId owner =
                ownerPlace.find().orElseThrow(() -> new IOException("volume " + volume + " has had no owner yet"));
        if (owner.equals(coordination.node())) {
            throw new IOException("this node is elected for volume " + volume + ", but not ready");
        }
        return new OwnerFinder.Whereabouts(null, fabric.connect(owner));
    }

    /** See {@link TesseraFileSystem#relocate}. Null if the volume is not mounted here. */
    @Nullable
    Relocated relocate(long ino, BrickId to, long fromTile, long untilNs) throws FsException {
        Mounted current = mounted;
        return current == null ? null : current.files.relocate(ino, to, fromTile, untilNs);
    }

    void mount(MountConfig mount) throws IOException {
        if (mounted != null) {
            throw new IllegalStateException("volume " + info.name() + " is mounted already");
        }
        Attachment attachment = new Attachment();
        boolean done = false;
        try {
            attachment.session.start();
            if (!attachment.session.awaitAttached(ATTACH_TIMEOUT_MS)) {
                throw new IOException("volume " + info.name() + " has no owner that answers");
            }
            String source = new MountSource(info.name(), coordination.stateDir()).toString();
            MountOptions options = options(mount, source);
            FuseMount.removeLeftover(mount.path(), options);
            Files.createDirectories(mount.path());
            long ttlNs = mount.cacheTimeout().toNanos();
            TesseraFileSystem files = attachment.open(new DataOptions(
                    ttlNs,
                    ttlNs,
                    ttlNs,
                    COMMIT_INTERVAL_MS,
                    false,
                    coordination.node().value()));
            FuseMount fuse = FuseMount.mount(mount.path(), files, options);
            mounted = new Mounted(mount.path(), fuse, files, attachment);
            meters(fuse, files);
            meters(attachment.tokens.counters());
            meters(attachment.session.counters());
            done = true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            if (!done) {
                attachment.close();
            }
        }
    }

    private static MountOptions options(MountConfig mount, String source) {
        MountOptions defaults = MountOptions.defaults(source);
        MountOptions options = defaults.withSession(defaults.session()
                        .withRequestMemory(TransferMemory::tryAllocate)
                        .withNewestMinor(mount.fuseMinor()))
                .withAccess(mount.allowOther() ? MountOptions.Access.EVERYBODY : MountOptions.Access.OWNER)
                .withReadAheadKiB((int) (mount.readAhead().bytes() >> 10));
        return mount.readerThreads() == 0 ? options : options.withReaders(mount.readerThreads());
    }

    private void meters(FuseMount fuse, TesseraFileSystem files) {
        String volume = info.name();
        var c = files.counters();
        metrics.counter("data.reads", c.reads, "volume", volume);
        metrics.counter("data.read.bytes", c.readBytes, "volume", volume);
        metrics.counter("data.writes", c.writes, "volume", volume);
        metrics.counter("data.written.bytes", c.writtenBytes, "volume", volume);
        metrics.counter("data.commits", c.commits, "volume", volume);
        metrics.counter("data.commit.errors", c.commitFailures, "volume", volume);
        metrics.counter("data.fsyncs", c.fsyncs, "volume", volume);
        metrics.counter("data.token.waits", c.tokenWaits, "volume", volume);
        metrics.gauge("data.open.handles", () -> files.population()[0], "volume", volume);
        metrics.gauge("data.files", () -> files.population()[1], "volume", volume);
        metrics.gauge("fuse.inodes.referenced", () -> files.population()[2], "volume", volume);
        var f = fuse.stats();
        metrics.counter("fuse.malformed.errors", f::malformedRequests, "volume", volume);
        metrics.counter("fuse.handler.errors", f::handlerFailures, "volume", volume);
        metrics.counter("fuse.unanswered.errors", f::unansweredRequests, "volume", volume);
        metrics.counter("fuse.withdrawn", f::withdrawnRequests, "volume", volume);
        metrics.counter("fuse.interrupts", f::interrupts, "volume", volume);
        metrics.counter("fuse.notifications", f::notifications, "volume", volume);
        metrics.gauge("fuse.requests.detached", fuse::detachedNow, "volume", volume);
    }

    private void meters(TokenCounters tokens) {
        metrics.counter("token.requests", tokens.requests, "volume", info.name());
        metrics.counter("token.releases", tokens.releases, "volume", info.name());
        metrics.counter("token.grants", tokens.grants, "volume", info.name());
        metrics.counter("token.recalls", tokens.recalls, "volume", info.name());
    }

    private void meters(SessionCounters session) {
        session.calls().forEach((op, count) -> metrics.counter("owner.calls", count, "op", op, "volume", info.name()));
    }

    /** Fails with {@link io.tesserafs.fuse.mount.MountException} BUSY if in use and not {@code force}. */
    void unmount(boolean force) throws IOException {
        Mounted current = mounted;
        if (current == null) {
            return;
        }
        if (force) {
            current.mount.unmountByForce();
        } else {
            current.mount.unmount();
        }
        release(current);
    }

    private void release(Mounted current) throws IOException {
        current.mount.close();
        mounted = null;
        metrics.removeTagged("volume", info.name());
        current.attachment.close();
    }

    /** Unmounts, whoever uses it, and makes everything durable. */
    @Override
    public void close() throws IOException {
        try {
            Mounted current = mounted;
            if (current != null) {
                release(current);
            }
        } finally {
            ownership.close();
        }
        LOG.debug("volume {} is closed", info.name());
    }
}
