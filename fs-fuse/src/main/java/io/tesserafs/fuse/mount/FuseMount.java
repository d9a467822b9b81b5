package io.tesserafs.fuse.mount;

import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.FuseSession;
import io.tesserafs.fuse.mount.MountException.Reason;
import io.tesserafs.fuse.protocol.FuseServer;
import io.tesserafs.fuse.protocol.FuseStats;
import io.tesserafs.fuse.protocol.UnsupportedKernelException;
import io.tesserafs.fuse.transport.DeviceTransport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A mounted filesystem, from {@link #mount} until it is unmounted: by {@link #unmount}, by {@link #close}, or by
 * somebody else with umount(8). Whichever it was, afterwards no mount, thread or descriptor of it is left.
 *
 * <p>Invariants: requests are served as long as the mount exists, also while it is being unmounted; {@link
 * FileSystem#stopped} is called exactly once, after the last request; nothing here touches files under the mount point, which could
 * wait for the very threads that serve it (but for {@link MountedInodes}, whose requests need nobody else). Thread-safe.
 */
public final class FuseMount implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FuseMount.class);
    /** How long {@link #close} waits for users of the mount to go before it ends it under them. */
    private static final Duration CLOSE_GRACE = Duration.ofSeconds(5);
    /** How long the end may take once the kernel let go: detached requests and the filesystem's own flushing. */
    private static final Duration END_TIMEOUT = Duration.ofSeconds(60);

    private static final long BUSY_RETRY_MS = 50;

    private final Path mountPoint;
    private final MountInfo info;
    private final FuseServer server;

    private FuseMount(Path mountPoint, MountInfo info, FuseServer server) {
        this.mountPoint = mountPoint;
        this.info = info;
        this.server = server;
    }

    /**
     * Mounts {@code fs} on the directory {@code mountPoint} and serves it. When this returns, the kernel has our INIT and applications
     * may use the mount. A leftover mount is taken away first, see {@link #removeLeftover}.
     */
    public static FuseMount mount(Path mountPoint, FileSystem fs, MountOptions options) throws MountException {
        removeLeftover(mountPoint, options);
        Path target = realDirectory(mountPoint);
        DeviceTransport transport = new DeviceTransport(Mounter.mount(target, options));
        try {
            MountInfo info = MountInfo.at(target)
                    .orElseThrow(() -> new MountException(Reason.FAILED, target + " vanished from the mount table"));
            FuseServer server = serve(target, transport, guard(new FuseConnection(info.deviceMinor())), fs, options);
            BackingDevice.tune(info, options.readAheadKiB());
            LOG.info(
                    "Mounted {} on {} (connection {}, protocol 7.{}, {} readers)",
                    options.source(),
                    target,
                    info.deviceMinor(),
                    server.session().minor(),
                    options.readers());
            return new FuseMount(target, info, server);
        } catch (IOException | RuntimeException | Error e) {
            abandon(target, transport, e);
            if (e instanceof MountException m) {
                throw m;
            }
            throw new MountException(
                    e instanceof UnsupportedKernelException ? Reason.UNSUPPORTED_KERNEL : Reason.FAILED,
                    "cannot serve " + target + ": " + e.getMessage(),
                    e);
        }
    }

    /**
     * Takes away what a predecessor that died left at {@code mountPoint}: mounts with the same source and type as {@code options} name. Without
     * it every access there fails with ENOTCONN. The caller vouches that no other process serves that source.
     */
    public static void removeLeftover(Path mountPoint, MountOptions options) throws MountException {
        Path absolute = mountPoint.toAbsolutePath().normalize();
        Path parent = absolute.getParent();
        if (parent == null || !Files.isDirectory(parent)) {
            return;
        }
        try {
            Path point = parent.toRealPath().resolve(absolute.getFileName());
            String type = "fuse." + options.subtype();
            Optional<MountInfo> leftover = MountInfo.at(point);
            while (leftover.isPresent()
                    && leftover.get().type().equals(type)
                    && leftover.get().source().equals(options.source())) {
                LOG.info("Removing the mount that an earlier daemon left on {}", point);
                Mounter.forceUnmount(point);
                leftover = MountInfo.at(point);
            }
        } catch (MountException e) {
            throw e;
        } catch (IOException e) {
            throw new MountException(Reason.FAILED, "cannot look for mounts on " + mountPoint + ": " + e, e);
        }
    }

    /** The directory, absolute and without symbolic links. */
    public Path mountPoint() {
        return mountPoint;
    }

    /** The kernel's end of the mount, to abort it in need. */
    public FuseConnection connection() {
        return new FuseConnection(info.deviceMinor());
    }

    public FuseSession session() {
        return server.session();
    }

    public FuseStats stats() {
        return server.stats();
    }

    /** Requests that wait on threads of the filesystem right now. */
    public int detachedNow() {
        return server.detachedNow();
    }

    /** True until the kernel has ended the mount and everything of it is released. */
    public boolean isMounted() {
        return !server.hasEnded();
    }

    /** Waits until the mount has ended, whoever ends it. */
    public void join() throws InterruptedException {
        while (!join(Duration.ofDays(1))) {
            // Some mounts last longer.
        }
    }

    /** As {@link #join()}; false on timeout. */
    public boolean join(Duration timeout) throws InterruptedException {
        return server.awaitEnd(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /**
     * Unmounts if nobody uses the mount, and waits for its end; otherwise fails with {@link Reason#BUSY} and changes
     * nothing. Done already is fine.
     */
    public void unmount() throws MountException {
        try {
            if (isMounted()) {
                if (isOurs()) {
                    Mounter.unmount(mountPoint);
                }
                awaitEnd();
            }
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /** Unmounts now, whoever uses it: their requests fail. Waits for the end. */
    public void unmountByForce() throws MountException {
        try {
            if (isMounted()) {
                if (isOurs()) {
                    Mounter.forceUnmount(mountPoint);
                }
                if (!join(CLOSE_GRACE)) {
                    // Detached but still in use, which keeps the connection alive.
                    abort();
                }
                awaitEnd();
            }
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /** Unmounts; waits some seconds for users of the mount to go, then ends it under them. Idempotent. */
    @Override
    public void close() throws MountException {
        long deadline = System.nanoTime() + CLOSE_GRACE.toNanos();
        while (true) {
            try {
                unmount();
                return;
            } catch (MountException e) {
                if (e.reason() != Reason.BUSY) {
                    throw e;
                }
                if (System.nanoTime() - deadline > 0) {
                    LOG.warn("{} is still in use; its users will see errors", mountPoint);
                    unmountByForce();
                    return;
                }
            }
            try {
                Thread.sleep(BUSY_RETRY_MS);
            } catch (InterruptedException e) {
                throw interrupted(e);
            }
        }
    }

    /** False when somebody else has unmounted it; another mount may even be in its place. */
    private boolean isOurs() throws MountException {
        try {
            return MountInfo.at(mountPoint)
                    .filter(m -> m.deviceMinor() == info.deviceMinor() && m.deviceMajor() == info.deviceMajor())
                    .isPresent();
        } catch (IOException e) {
            throw new MountException(Reason.FAILED, "cannot read the mount table: " + e.getMessage(), e);
        }
    }

    private void abort() throws MountException {
        try {
            connection().abort();
        } catch (MountException e) {
            throw e;
        } catch (IOException e) {
            throw new MountException(Reason.FAILED, "cannot abort " + mountPoint + ": " + e.getMessage(), e);
        }
    }

    private void awaitEnd() throws MountException, InterruptedException {
        if (!join(END_TIMEOUT)) {
            throw new MountException(
                    Reason.FAILED, mountPoint + " is unmounted, but its requests did not end within " + END_TIMEOUT);
        }
    }

    private static Path realDirectory(Path mountPoint) throws MountException {
        try {
            Path real = mountPoint.toRealPath();
            if (!Files.isDirectory(real)) {
                throw new MountException(Reason.BAD_MOUNT_POINT, mountPoint + " is not a directory");
            }
            return real;
        } catch (MountException e) {
            throw e;
        } catch (IOException e) {
            throw new MountException(
                    Reason.BAD_MOUNT_POINT, "cannot mount on " + mountPoint + ": " + e.getMessage(), e);
        }
    }

    private static FuseServer serve(
            Path target, DeviceTransport transport, @Nullable MountGuard guard, FileSystem fs, MountOptions options)
            throws IOException {
        Runnable endGuard = guard == null ? () -> {} : guard::close;
        try {
            return FuseServer.start(
                    transport.mainChannel(),
                    transport::openChannel,
                    options.readers(),
                    fs,
                    new MountedInodes(target),
                    options.session(),
                    () -> {
                        transport.close();
                        endGuard.run();
                    });
        } catch (IOException | RuntimeException | Error e) {
            endGuard.run();
            throw e;
        }
    }

    private static @Nullable MountGuard guard(FuseConnection connection) {
        try {
            return MountGuard.start(connection.abortFile());
        } catch (IOException e) {
            LOG.warn(
                    "Nobody will abort this mount if the daemon is killed while the kernel waits for it: {}",
                    e.getMessage());
            return null;
        }
    }

    /** A mount that failed half-way: take it away again. */
    private static void abandon(Path target, DeviceTransport transport, Throwable cause) {
        try {
            Mounter.forceUnmount(target);
        } catch (MountException e) {
            cause.addSuppressed(e);
        }
        transport.close();
    }

    private static MountException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new MountException(Reason.FAILED, "interrupted while unmounting", e);
    }
}
