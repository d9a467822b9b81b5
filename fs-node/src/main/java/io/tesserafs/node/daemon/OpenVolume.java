package io.tesserafs.node.daemon;

import io.tesserafs.coherence.lock.LocalLocks;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.coherence.volume.VolumeElection;
import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.coherence.volume.ZooKeeperManifestStore;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.mount.FuseMount;
import io.tesserafs.fuse.mount.MountOptions;
import io.tesserafs.node.config.NodeConfig.MountConfig;
import io.tesserafs.node.data.BrickSet;
import io.tesserafs.node.data.DataOptions;
import io.tesserafs.node.data.TesseraFileSystem;
import io.tesserafs.node.metrics.NodeMetrics;
import io.tesserafs.node.namespace.VolumeConfig;
import io.tesserafs.node.namespace.VolumeOwner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One volume on this node: its owner, since this node is the only candidate for now, and at most one mount of it. Methods that change
 * something are serialised by the caller ({@link NodeServices}).
 */
final class OpenVolume implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OpenVolume.class);
    /** Option of a volume in the registry. */
    static final String MAX_INODES = "maxInodes";

    private final VolumeInfo info;
    private final Coordination coordination;
    private final ExportedBrick brick;
    private final NodeMetrics metrics;
    private final Coordination.FailureListener onFailure;
    private final SecureRandom random = new SecureRandom();
    private final LocalOwner tokens = new LocalOwner();
    private final LocalLocks locks = new LocalLocks();
    private final CompletableFuture<VolumeOwner> owning = new CompletableFuture<>();
    private @Nullable VolumeElection election;
    private @Nullable BrickClient client;
    private volatile long epoch;
    private volatile @Nullable Mounted mounted;
    private volatile boolean closing;

    /** A mount and what serves it. */
    private record Mounted(Path path, FuseMount mount, TesseraFileSystem files, TokenCache cache, SessionId session) {}

    OpenVolume(
            VolumeInfo info,
            Coordination coordination,
            ExportedBrick brick,
            NodeMetrics metrics,
            Coordination.FailureListener onFailure) {
        this.info = info;
        this.coordination = coordination;
        this.brick = brick;
        this.metrics = metrics;
        this.onFailure = onFailure;
    }

    VolumeInfo info() {
        return info;
    }

    long epoch() {
        return epoch;
    }

    VolumeOwner owner() {
        return owning.join();
    }

    @Nullable
    Path mountPoint() {
        Mounted current = mounted;
        return current == null ? null : current.path;
    }

    /** Stands for election and returns once this node owns the volume and has recovered it. */
    void start(Duration timeout) throws IOException, StartException {
        VolumeElection candidacy = new VolumeElection(
                coordination.cluster(),
                info.number(),
                coordination.node(),
                coordination.incarnation(),
                new VolumeElection.Listener() {
                    @Override
                    public void onElected(long newEpoch) {
                        elected(newEpoch);
                    }

                    @Override
                    public void onDeposed() {
                        deposed();
                    }
                });
        election = candidacy;
        candidacy.start();
        try {
            owning.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new StartException(
                    "volume " + info.name() + " has not got an owner within " + timeout.toSeconds() + " s", e);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new StartException(String.valueOf(cause.getMessage()), cause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StartException("interrupted", e);
        }
    }

    private void elected(long newEpoch) {
        if (owning.isDone()) {
            // Re-elected after it was deposed: the daemon is on its way down, see deposed().
            return;
        }
        try {
            BrickClient connection = brick.fabric().connect(brick.brick().id(), newSession());
            client = connection;
            VolumeOwner owner = VolumeOwner.open(
                    config(),
                    newEpoch,
                    new ZooKeeperManifestStore(coordination.cluster(), info.number()),
                    connection,
                    brick.nothingLost(),
                    System.currentTimeMillis() * 1_000_000);
            epoch = newEpoch;
            owner.onFailure(() -> {
                if (!closing) {
                    onFailure.failed("the owner of volume " + info.name() + " cannot go on", null);
                }
            });
            LOG.info("volume {}: owner in epoch {}, {}", info.name(), newEpoch, owner.report());
            owning.complete(owner);
        } catch (IOException | RuntimeException e) {
            LOG.error("volume {} cannot be recovered", info.name(), e);
            owning.completeExceptionally(e);
        }
    }

    private VolumeConfig config() {
        String maxInodes = info.options().getOrDefault(MAX_INODES, Long.toString(VolumeConfig.DEFAULT_MAX_INODES));
        return new VolumeConfig(info.name(), info.number(), info.uuid(), Long.parseLong(maxInodes));
    }

    private SessionId newSession() {
        return new SessionId(random.nextLong() | 1);
    }

    /** The ZooKeeper session ended: somebody else may own the volume by now, so this node must not write another byte. */
    private void deposed() {
        if (closing || !owning.isDone() || owning.isCompletedExceptionally()) {
            return;
        }
        owner().abandon();
        onFailure.failed("volume " + info.name() + " was lost: the session with ZooKeeper ended", null);
    }

    void mount(MountConfig mount) throws IOException {
        if (mounted != null) {
            throw new IllegalStateException("volume " + info.name() + " is mounted already");
        }
        SessionId session = newSession();
        TokenCache cache = new TokenCache(tokens.link(session));
        boolean done = false;
        try {
            BrickClient connection = client;
            if (connection == null) {
                throw new IllegalStateException("volume " + info.name() + " is not open");
            }
            String source = new MountSource(info.name(), coordination.stateDir()).toString();
            MountOptions options = options(mount, source);
            FuseMount.removeLeftover(mount.path(), options);
            Files.createDirectories(mount.path());
            long ttlNs = mount.cacheTimeout().toNanos();
            TesseraFileSystem files = new TesseraFileSystem(
                    owner(),
                    cache,
                    locks.service(session),
                    BrickSet.only(connection),
                    new DataOptions(
                            ttlNs,
                            ttlNs,
                            ttlNs,
                            5_000,
                            false,
                            coordination.node().value()));
            files.alone(true);
            FuseMount fuse = FuseMount.mount(mount.path(), files, options);
            mounted = new Mounted(mount.path(), fuse, files, cache, session);
            meters(fuse, files);
            done = true;
        } finally {
            if (!done) {
                cache.close();
                endSession(session);
            }
        }
    }

    private static MountOptions options(MountConfig mount, String source) {
        MountOptions options = MountOptions.defaults(source)
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
        current.cache.close();
        endSession(current.session);
    }

    private void endSession(SessionId session) {
        tokens.endSession(session);
        locks.endSession(session).join();
    }

    /** Unmounts, whoever uses it, and makes everything durable. */
    @Override
    public void close() throws IOException {
        closing = true;
        try {
            Mounted current = mounted;
            if (current != null) {
                release(current);
            }
        } finally {
            if (owning.isDone() && !owning.isCompletedExceptionally()) {
                owner().close();
            }
            VolumeElection candidacy = election;
            if (candidacy != null) {
                candidacy.close();
            }
            BrickClient connection = client;
            if (connection != null) {
                connection.close();
            }
        }
    }
}
