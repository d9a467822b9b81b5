package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.ManifestStore;
import io.tesserafs.coherence.volume.StaleEpochException;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.SetAttr;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongPredicate;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one live owner of a volume: its namespace in memory, its log on bricks.
 *
 * <p>Invariants: what an answered call changed is in the log, in memory that survives this process; the tables are what replay of the log would give;
 * space is given to one extent at a time, and freed only when the record that frees it is durable. Calls run in the caller's thread under one lock
 * that is held for microseconds; everything slow is done ahead of need by {@link OwnerKeeper}.
 */
public final class VolumeOwner implements VolumeService, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VolumeOwner.class);

    /** A shorter log is replayed faster than a checkpoint is written. */
    private static final int CHECKPOINT_AT_CLOSE_SEGMENTS = 3;

    /** The node that the last owner wished to be the next; 0 if it did not care, or there is none. */
    public static int heir(ManifestStore manifests) throws IOException {
        byte[] bytes = manifests.read().bytes();
        try {
            return bytes.length == 0 ? 0 : Manifest.decode(bytes).heir();
        } catch (Manifest.BadManifestException e) {
            LOG.debug("whoever opens the volume will say so: {}", e.getMessage());
            return 0;
        }
    }

    /** The epoch of the last owner that began its term; 0 if there was none. */
    public static long lastEpoch(ManifestStore manifests) throws IOException {
        byte[] bytes = manifests.read().bytes();
        try {
            return bytes.length == 0 ? 0 : Manifest.decode(bytes).epoch();
        } catch (Manifest.BadManifestException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /**
     * What {@link #open} found and did.
     *
     * @param lastHome the brick that the last owner's log was on, of its own node; 0 if there was none
     */
    public record RecoveryReport(
            boolean formatted,
            int lastHome,
            long records,
            long lastLsn,
            boolean tornTail,
            long inodes,
            long orphansRemoved,
            long extentsMadeHoles,
            long blocksFreed) {}

    /** Hears of inodes without names. Called under no lock, in the thread of the call that was the cause, before that is answered. */
    public interface OrphanListener {
        /** An inode has lost its last name or was made without one, by a request of the session, if that is known. */
        void orphaned(long ino, @Nullable SessionId by);

        /** An inode may have a name again. */
        void named(long ino);

        /** Whether inodes lost their last names a moment ago that live on only until other nodes have said that they do not use them. */
        boolean mayDieSoon();
    }

    private final OwnerCore core;
    private final OwnerBlocks blocks;
    private final OwnerBricks bricks;
    private final OwnerKeeper keeper;
    private final NameOperations names;
    private final FileOperations files;
    private final Allocator allocator;
    private final RecoveryReport report;
    private volatile @Nullable OrphanListener orphanListener;
    private boolean closed;

    VolumeOwner(OwnerCore core, OwnerBlocks blocks, OwnerBricks bricks, OwnerKeeper keeper, RecoveryReport report) {
        this.core = core;
        this.blocks = blocks;
        this.bricks = bricks;
        this.keeper = keeper;
        this.report = report;
        this.names = new NameOperations(core);
        this.files = new FileOperations(core);
        this.allocator = new Allocator(core, bricks, blocks.brick(), keeper.space());
    }

    /**
     * Takes over the volume under {@code epoch}, which must be this process's by election: replays, reconciles the brick with the extent maps, opens
     * a new log segment, and starts. An empty manifest means a new volume.
     *
     * @param sameBoot whether the pool's memory is known to have survived since its last use
     * @throws RecoveryException what is there is damaged; nothing was changed
     * @throws StaleEpochException a newer owner exists
     */
    public static VolumeOwner open(
            VolumeConfig config, long epoch, ManifestStore manifests, BrickClient brick, boolean sameBoot, long nowNs)
            throws IOException, StaleEpochException {
        return OwnerStart.open(config, epoch, manifests, OwnerBricks.only(brick), sameBoot, false, nowNs);
    }

    /** Inodes without names, in no order. */
    public long[] orphans() {
        LongStream.Builder found = LongStream.builder();
        core.lock.lock();
        try {
            core.tables.forEach(inode -> {
                if (inode.nlink == 0) {
                    found.add(inode.ino);
                }
            });
        } finally {
            core.lock.unlock();
        }
        return found.build().toArray();
    }

    /**
     * As the other, on many bricks, and for an owner that may inherit sessions.
     *
     * @throws LogUnreachableException no brick that has the whole log answers: another node may reach one, or this one later
     * @param sameBoot of the local brick
     * @param heirs nodes of the last owner may live that have space which no record names yet, and files open that have no name any more: neither is
     *     freed then
     */
    public static VolumeOwner open(
            VolumeConfig config,
            long epoch,
            ManifestStore manifests,
            OwnerBricks bricks,
            boolean sameBoot,
            boolean heirs,
            long nowNs)
            throws IOException, StaleEpochException {
        return OwnerStart.open(config, epoch, manifests, bricks, sameBoot, heirs, nowNs);
    }

    public RecoveryReport report() {
        return report;
    }

    public VolumeConfig config() {
        return core.config;
    }

    /**
     * Nodes write in place beyond a file's committed end before they commit the new one. What nodes that died left there must not show when the file grows
     * again: so of every extent only the bytes inside the file count as valid from now on. To be called before the first session, and only if none is
     * inherited.
     */
    public void cutBeyondEnds() throws FsException {
        files.cutBeyondEnds();
    }

    public void orphanListener(OrphanListener listener) {
        orphanListener = listener;
    }

    /** Runs once, on any thread, when this owner has stopped by itself: it was deposed or cannot write its log. Every call then answers EIO. */
    public void onFailure(Runnable action) {
        core.onFailure(action);
    }

    /** Changes made in its scope are logged as those of the request, which {@link #applied} then finds, here and at later owners. */
    public ScopedValue.Carrier as(RequestTag request) {
        return ScopedValue.where(OwnerCore.REQUEST, request);
    }

    /** What is remembered of a request if it took effect and may be repeated; null if it did not. */
    public @Nullable Applied applied(SessionId session, long number) {
        core.lock.lock();
        try {
            return core.tables.requests().find(session.value(), number);
        } finally {
            core.lock.unlock();
        }
    }

    /**
     * When this returns, no change that the session asked for takes effect any more, nor of a call that is under way: those may wait for a device or for room
     * in the log for longer than the session lives. It waits for none of them, so none can be waiting for it.
     */
    public void refuse(SessionId session) {
        core.refuse(session);
    }

    /** No request of the session is repeated any more. */
    public void endSession(SessionId session) {
        endSessions(id -> id == session.value());
        keeper.settler().settleSoon();
    }

    /** Of other sessions than these no request is repeated any more. */
    public void keepSessions(Set<SessionId> alive) {
        endSessions(id -> !alive.contains(new SessionId(id)));
    }

    private void endSessions(LongPredicate which) {
        try {
            core.begin();
            try {
                for (long id : core.tables.requests().sessions()) {
                    if (which.test(id)) {
                        core.tx.endSession(id);
                    }
                }
                core.apply();
            } finally {
                core.end();
            }
        } catch (FsException e) {
            LOG.debug("what sessions asked for stays until the next owner: {}", e.getMessage());
        }
    }

    /** Extents of a brick that would not be what they were if its host lost its memory now; at most {@code max}. */
    public List<LooseExtent> looseExtents(BrickId brick, int max) {
        return keeper.settler().extents().find(brick, max);
    }

    /** What the owner called loose is durable now: the bytes that were written, or zeros in their place. */
    public void settle(List<LooseExtent> extents) throws FsException {
        keeper.settler().extents().settle(extents);
    }

    /** False once it has stopped: what was under way then may or may not have taken effect, and the next owner knows. */
    public boolean isRunning() {
        return !core.isStopped();
    }

    OwnerCore core() {
        return core;
    }

    OwnerKeeper keeper() {
        return keeper;
    }

    @Override
    public @Nullable InodeAttr lookup(long parent, byte[] name) throws FsException {
        return names.lookup(parent, name);
    }

    @Override
    public InodeAttr getattr(long ino) throws FsException {
        return files.getattr(ino);
    }

    @Override
    public long parent(long dir) throws FsException {
        return names.parent(dir);
    }

    @Override
    public byte[] readlink(long ino) throws FsException {
        return files.readlink(ino);
    }

    @Override
    public void readdir(long dir, long cookie, EntrySink sink) throws FsException {
        names.readdir(dir, cookie, sink);
    }

    @Override
    public InodeAttr create(
            long parent, byte[] name, int mode, int rdev, byte @Nullable [] target, Creator creator, long nowNs)
            throws FsException {
        return names.create(parent, name, mode, rdev, target, creator, nowNs);
    }

    @Override
    public InodeAttr createOrphan(long parent, int mode, Creator creator, long nowNs) throws FsException {
        InodeAttr attr = names.createOrphan(parent, mode, creator, nowNs);
        orphaned(attr.ino());
        return attr;
    }

    @Override
    public InodeAttr link(long ino, long newParent, byte[] newName, long nowNs) throws FsException {
        InodeAttr attr = names.link(ino, newParent, newName, nowNs);
        OrphanListener listener = orphanListener;
        if (listener != null && attr.nlink() == 1) {
            listener.named(ino);
        }
        return attr;
    }

    @Override
    public Unlinked unlink(long parent, byte[] name, long nowNs) throws FsException {
        Unlinked gone = names.unlink(parent, name, nowNs);
        noteOrphan(gone);
        return gone;
    }

    @Override
    public Unlinked rmdir(long parent, byte[] name, long nowNs) throws FsException {
        Unlinked gone = names.rmdir(parent, name, nowNs);
        noteOrphan(gone);
        return gone;
    }

    @Override
    public @Nullable Unlinked rename(long parent, byte[] name, long newParent, byte[] newName, int flags, long nowNs)
            throws FsException {
        Unlinked gone = names.rename(parent, name, newParent, newName, flags, nowNs);
        noteOrphan(gone);
        return gone;
    }

    private void noteOrphan(@Nullable Unlinked gone) {
        if (gone != null && gone.nlink() == 0) {
            orphaned(gone.ino());
        }
    }

    private void orphaned(long ino) {
        OrphanListener listener = orphanListener;
        if (listener != null) {
            listener.orphaned(
                    ino, OwnerCore.REQUEST.isBound() ? OwnerCore.REQUEST.get().session() : null);
        }
    }

    @Override
    public InodeAttr setattr(long ino, SetAttr change, long nowNs) throws FsException {
        return files.setattr(ino, change, nowNs);
    }

    @Override
    public InodeAttr truncate(long ino, long size, boolean killSuidGid, long nowNs) throws FsException {
        return files.truncate(ino, size, killSuidGid, nowNs);
    }

    @Override
    public byte[] getxattr(long ino, byte[] name) throws FsException {
        return files.getxattr(ino, name);
    }

    @Override
    public byte[] listxattr(long ino) throws FsException {
        return files.listxattr(ino);
    }

    @Override
    public void setxattr(long ino, byte[] name, byte[] value, int flags, long nowNs) throws FsException {
        files.setxattr(ino, name, value, flags, nowNs);
    }

    @Override
    public void removexattr(long ino, byte[] name, long nowNs) throws FsException {
        files.removexattr(ino, name, nowNs);
    }

    @Override
    public List<Extent> layout(long ino, long fromTile, long toTile) throws FsException {
        return files.layout(ino, fromTile, toTile);
    }

    @Override
    public InodeAttr commit(long ino, DataCommit commit) throws FsException {
        for (Extent extent : commit.extents()) {
            keeper.space().open(extent.ref().brick()); // it may have space of the last owner's
        }
        boolean flushed = commit.durable();
        if (!flushed) {
            List<ExtentRef> moved = files.movedFromDurable(ino, commit);
            if (!moved.isEmpty()) {
                flushExtents(commit.extents());
                flushed = true;
            }
        }
        return files.commit(ino, commit, flushed);
    }

    private void flushExtents(List<Extent> extents) throws FsException {
        try {
            for (Extent extent : extents) {
                ExtentRef ref = extent.ref();
                bricks.tell(
                        ref.brick(),
                        client -> OwnerBlocks.flush(client, ref.block(), ref.offset(), extent.validBytes()));
            }
        } catch (BrickException e) {
            String message = "flush failed: " + e.getMessage();
            throw e.reason() == BrickException.Reason.UNREACHABLE
                    ? new UnavailableException(message) // the bytes are where they are: who wrote them tries again
                    : new FsException(Errno.EIO, message);
        }
    }

    @Override
    public ExtentRef allocate(int bytes, BrickId preferred) throws FsException {
        return allocator.allocate(bytes, preferred, this::mayGetSpaceSoon);
    }

    @Override
    public ExtentRef allocateOn(BrickId brick, int bytes) throws FsException {
        return allocator.allocateOn(brick, bytes, this::mayGetSpaceSoon);
    }

    /** Deleted files give their space back once every node has let go of them: before that the volume is not full, the others are slow. */
    private boolean mayGetSpaceSoon() {
        OrphanListener listener = orphanListener;
        return listener != null && listener.mayDieSoon();
    }

    @Override
    public void release(ExtentRef unused) {
        allocator.release(unused);
    }

    @Override
    public void unreferenced(long ino) {
        try {
            files.unreferenced(ino);
        } catch (FsException e) {
            LOG.debug("orphan {} stays until recovery: {}", ino, e.getMessage());
        }
    }

    @Override
    public void sync() throws FsException {
        core.sync();
    }

    @Override
    public Statistics statistics() {
        return allocator.statistics();
    }

    /** Of this node: it has the log. */
    public BrickId logBrick() {
        return bricks.local();
    }

    /** What has a second copy of the log; without it, the volume waits for this node if it dies. */
    public Optional<BrickId> mirrorBrick() {
        LogMirror mirror = keeper.mirror();
        return mirror.state() == LogMirror.State.COMPLETE ? Optional.ofNullable(mirror.brick()) : Optional.empty();
    }

    /**
     * Whether nobody has taken the volume over. The next owner fences this one's session on a brick that has the log, the home or the mirror, before it does
     * anything else; so if it is not fenced there, there is none. May block for as long as it takes to find out that a peer is dead.
     *
     * @return false if that is so, or cannot be known
     */
    public boolean isUnfenced() {
        if (core.isStopped()) {
            return false;
        }
        LogMirror mirror = keeper.mirror();
        try {
            checkUnfenced(bricks.local());
            return switch (mirror.state()) {
                case NONE, BUILDING -> keeper.isUnmirrored();
                case COMPLETE -> {
                    mirror.checkUnfenced();
                    yield true;
                }
                case BROKEN -> false;
            };
        } catch (BrickException e) {
            LOG.info("volume {}: not known to own it any more: {}", core.config.name(), e.getMessage());
            return false;
        }
    }

    /** Whether the next owner has fenced this one, on either copy of the log. As {@link #isUnfenced}, but for one that has stopped. False if no brick says so. */
    public boolean isReplaced() {
        BrickId copy = keeper.mirror().brick();
        return isFenced(bricks.local()) || copy != null && isFenced(copy);
    }

    private boolean isFenced(BrickId brick) {
        try {
            checkUnfenced(brick);
            return false;
        } catch (BrickException e) {
            return e.reason() == BrickException.Reason.FENCED;
        }
    }

    /** Any call will do: a brick refuses all of a session that is fenced. */
    private void checkUnfenced(BrickId brick) throws BrickException {
        bricks.tell(brick, client -> client.list(BlockId.of(core.config.number(), 0), 1));
    }

    /** Log records from {@code fromLsn} on that are still there, at most {@code max}. Upkeep waits meanwhile. */
    public List<LogText.Line> log(long fromLsn, int max) throws IOException {
        return keeper.log(fromLsn, max);
    }

    /** Orderly end: everything durable, a short log, the manifest marked as complete. Idempotent. */
    @Override
    public void close() throws IOException {
        close(0);
    }

    /** As {@link #close()}; {@code heir} is the node that shall own the volume next, 0 for any. */
    public void close(int heir) throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        keeper.stop();
        try {
            if (!core.isStopped()) {
                sync();
                keeper.space().reclaim();
                if (keeper.isCheckpointUnsaid() || keeper.segmentsInUse() > CHECKPOINT_AT_CLOSE_SEGMENTS) {
                    keeper.checkpointNow();
                }
                sync();
                keeper.closeCleanly(core.log.lastLsn(), heir);
            }
        } catch (StaleEpochException e) {
            LOG.warn("volume {}: deposed while closing: {}", core.config.name(), e.getMessage());
        } catch (FsException e) {
            throw new IOException("volume " + core.config.name() + ": " + e.getMessage(), e);
        } finally {
            core.stop("closed");
            core.log.close();
            blocks.close();
        }
    }

    /** Ends as a crash would: nothing more is written. For an owner that was deposed. Idempotent. */
    public void abandon() {
        if (closed) {
            return;
        }
        closed = true;
        core.stop("abandoned");
        keeper.stop();
        core.lock.lock();
        try {
            core.log.close();
        } finally {
            core.lock.unlock();
        }
        blocks.close();
    }
}
