package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.TokenClient;
import io.tesserafs.fuse.FuseSession;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Unlinked;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What all request handlers of one mounted volume share. Thread-safe. */
final class NodeVolume {
    private static final Logger LOG = LoggerFactory.getLogger(NodeVolume.class);
    /** For bricks that come and go while a file is saved; each time it is waited for by itself. */
    static final long SAVE_PATIENCE_NS = TimeUnit.SECONDS.toNanos(30);

    private static final long KERNEL_WAIT_MS = 100;

    /** Part of a handler that may end with an errno. */
    interface Work {
        void run() throws FsException;
    }

    final VolumeService service;
    final DataOptions options;
    final DataCounters counters = new DataCounters();
    final KernelReferences references = new KernelReferences();
    final HandleTable handles = new HandleTable();
    final BlockMap blocks;
    final FileTable files;
    final FileCommits commits;
    final LateCommits lateCommits;
    final FileAccess access;
    final Movers movers = new Movers();
    /** Inodes of which a tile is being mapped again. */
    private final Set<Long> reviving = ConcurrentHashMap.newKeySet();

    final NameAccess names;
    final TokenClient tokens;
    /** Flushing waits for a device here: not on a request's reader thread. */
    final boolean flushBlocks;

    /** Null while nothing is mounted. */
    volatile @Nullable FuseSession session;

    private final Set<Long> orphans = ConcurrentHashMap.newKeySet();
    /** Detached requests wait here. As many threads as detached requests, which the mount bounds. */
    private final ExecutorService waiting = Executors.newCachedThreadPool(
            Thread.ofPlatform().name("fs-waiting-", 0).daemon(true).factory());

    NodeVolume(VolumeService service, TokenClient tokens, BrickSet bricks, DataOptions options) {
        this.service = service;
        this.options = options;
        this.tokens = tokens;
        this.blocks = new BlockMap(bricks);
        this.files = new FileTable(service, tokens, blocks);
        this.commits = new FileCommits(service, blocks, counters);
        this.lateCommits = new LateCommits(this);
        this.access = new FileAccess(service, bricks, options.lane(), this::extend);
        this.names = new NameAccess(this, tokens);
        this.flushBlocks = bricks.home().info().blockingFlush();
    }

    /** Here if nothing in it has to wait for another host, elsewhere if it might. For what calls the owner but enters no token. */
    void serve(Request rq, Work work) {
        if (access.mayWait()) {
            serveElsewhere(rq, work);
        } else {
            serveHere(rq, work);
        }
    }

    /** How long the kernel may trust a name: not at all if it is too old to be told to forget names, as other nodes change them. */
    long entryTtlNs() {
        return forgetsNames() ? options.entryTtlNs() : 0;
    }

    /** The same for "no such name". */
    long negativeTtlNs() {
        return forgetsNames() ? options.negativeTtlNs() : 0;
    }

    private boolean forgetsNames() {
        FuseSession kernel = session;
        return kernel == null || kernel.canIncrementEpoch();
    }

    void serveHere(Request rq, Work work) {
        try {
            work.run();
        } catch (FsException e) {
            rq.replyError(e.errno());
        }
    }

    /** Goes on with the request elsewhere: {@code work} may wait. */
    void serveElsewhere(Request rq, Work work) {
        rq.detach(); // nothing new if it is elsewhere already
        waiting.execute(() -> {
            try {
                serveHere(rq, work);
            } catch (RuntimeException | Error e) {
                LOG.error("request {} failed", rq.unique(), e);
                rq.replyError(io.tesserafs.fuse.Errno.EIO);
            }
        });
    }

    /** Here if flushing is free, elsewhere if it waits for a device. */
    void serveFlushing(Request rq, Work work) {
        if (flushBlocks || access.mayWait()) {
            serveElsewhere(rq, work);
        } else {
            serveHere(rq, work);
        }
    }

    /**
     * The owner's attributes with what this node knows better.
     *
     * @param stamp {@link FileTable#removals} from before the owner was asked
     */
    InodeAttr current(InodeAttr attr, long stamp) throws FsException {
        InodeAttr asked = attr;
        long before = stamp;
        while (asked.isRegular()) {
            FileState file = files.find(asked.ino());
            if (file != null) {
                return file.overlay(asked);
            }
            long now = files.removals();
            if (now == before) {
                return asked;
            }
            before = now;
            asked = service.getattr(asked.ino());
        }
        return asked;
    }

    /**
     * Answers with an entry, under the names of its directory, and counts the kernel's new reference.
     *
     * @param attr as the owner said
     * @param stamp {@link FileTable#removals} from before it did
     */
    void replyEntry(Request rq, InodeAttr attr, long stamp, boolean alone) throws FsException {
        references.add(attr.ino(), attr.isDirectory());
        int ticket = FileTokens.REFUSED;
        FileTokens meta = alone ? null : names.attributesOf(attr);
        boolean replied = false;
        try {
            InodeAttr shown = attr;
            if (meta != null) {
                ticket = meta.enterNow(0, FileTokens.TO_END, Mode.SHARED); // if others have it, it is wanted next
                if (ticket != FileTokens.REFUSED) {
                    shown = service.getattr(attr.ino()); // what we were told may be from before we had the token
                    FileState file = files.find(attr.ino());
                    if (file != null) {
                        access.prepareAttr(file, true, shown);
                    }
                }
            }
            long ttl = alone || ticket != FileTokens.REFUSED ? options.attrTtlNs() : 0;
            replied = rq.replyEntry(current(shown, stamp), entryTtlNs(), ttl);
        } finally {
            if (meta != null) {
                if (ticket != FileTokens.REFUSED) {
                    meta.exit(ticket);
                }
                meta.close();
            }
            if (!replied) {
                forget(attr.ino(), 1);
            }
        }
    }

    /** As {@link #replyEntry} with what is known of the inode; false, and nothing done, if that is not enough. */
    boolean replyKnownEntry(Request rq, long ino) {
        InodeAttr known = service.known(ino);
        if (known == null) {
            return false;
        }
        FileTokens meta = names.attributesOf(known);
        try {
            return underKnown(meta, ino, attr -> {
                references.add(ino, attr.isDirectory());
                if (!rq.replyEntry(attr, entryTtlNs(), options.attrTtlNs())) {
                    forget(ino, 1);
                }
                return true;
            });
        } finally {
            meta.close();
        }
    }

    /** Takes attributes as they are at this moment, while they are kept from changing; or does nothing and says so by false. */
    interface AttrSink {
        boolean take(InodeAttr attr);
    }

    /** Runs {@code then} under the token of an inode's attributes if it is here, and they are known; else false. Asks nobody. */
    boolean underKnown(FileTokens meta, long ino, AttrSink then) {
        int ticket = meta.tryEnter(0, FileTokens.TO_END, Mode.SHARED);
        if (ticket == FileTokens.REFUSED) {
            return false;
        }
        try {
            long stamp = files.removals();
            InodeAttr attr = service.known(ino);
            if (attr == null) {
                return false;
            }
            FileState file = attr.isRegular() ? files.find(ino) : null;
            if (file == null && attr.isRegular() && files.removals() != stamp) {
                return false; // it may have left in between, with something newer
            }
            if (file != null) {
                access.prepareAttr(file, true, attr);
            }
            return then.take(file == null ? attr : file.overlay(attr));
        } finally {
            meta.exit(ticket);
        }
    }

    void forget(long ino, long count) {
        if (references.remove(ino, count)) {
            names.forget(ino);
            reapIfUnused(ino);
        }
    }

    void unlinked(@Nullable Unlinked gone) {
        if (gone != null && gone.nlink() == 0) {
            orphan(gone.ino());
            reapIfUnused(gone.ino());
        }
    }

    void orphan(long ino) {
        orphans.add(ino);
    }

    void linkedAgain(long ino) {
        orphans.remove(ino);
    }

    int orphans() {
        return orphans.size();
    }

    /** Ends an inode without names once neither the kernel nor a handle refers to it. */
    void reapIfUnused(long ino) {
        if (!orphans.contains(ino) || references.has(ino)) {
            return;
        }
        FileState file = files.find(ino);
        if (file != null && !files.discard(ino)) {
            return; // still open: its last release comes here again
        }
        if (orphans.remove(ino)) {
            files.tellOfClosed(ino); // what was lost of it is nobody's concern any more
            service.unreferenced(ino);
        }
    }

    /** Forgets what was not committed of a file, and all that was known of it. Returns whether a change is lost by that. */
    boolean dropUnsaved(FileState file) {
        long stamp = file.lock.writeLock();
        try {
            // Of a commit that is under way nobody knows whether it still arrives.
            boolean unsaved = file.committing || file.isDirty() && !file.hasOnlyBeenRead();
            file.countLostSession();
            if (unsaved) {
                file.failed(io.tesserafs.fuse.Errno.EIO);
            }
            file.tiles.abandon();
            file.holes.clear();
            file.attrChanged = false;
            file.mtimeChanged = false;
            file.sizeChanged = false;
            file.atimeChanged = false;
            file.loose = false;
            file.clearSuidGid = false;
            file.attrStale = true;
            file.attrWhole = false;
            file.settleCalm();
            return unsaved;
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    /**
     * Answers a granted file lock. Who held it before may have made the file longer, and who holds it now may touch the new pages through a mapping, which
     * asks nobody: so the kernel is told of them first.
     */
    void locked(Request rq, long ino) {
        FileState file = files.find(ino);
        if (names.company().isAlone() || file == null || !files.retain(file)) {
            rq.replyOk();
            return;
        }
        serveElsewhere(rq, () -> {
            try {
                access.withAttributes(file, Mode.SHARED, () -> {
                    access.tellSize(file, 0, 0);
                    return true;
                });
            } finally {
                release(file);
            }
            rq.replyOk();
        });
    }

    /** What the kernel has cached of a range is wrong. Waits a moment, no longer, see {@link #aside}. */
    void dropPages(long ino, long from, long to) {
        FuseSession kernel = session;
        if (kernel != null && !names.company().isAlone()) {
            aside(() -> kernel.invalidateInode(ino, from, to - from));
        }
    }

    /** What the kernel has cached of a file is to be asked for anew. Waits for nothing. */
    void dropPagesSoon(long ino) {
        FuseSession kernel = session;
        if (kernel != null) {
            Thread.startVirtualThread(() -> kernel.invalidateInode(ino, 0, 0));
        }
    }

    boolean mapsDirectHandles() {
        FuseSession kernel = session;
        return kernel != null && kernel.mapsDirectHandles();
    }

    /** Waits a moment, no longer: the page at the end may be locked by a request that waits itself. */
    private void extend(long ino, long size, BooleanSupplier ifStill) {
        FuseSession kernel = session;
        if (kernel == null || names.company().isAlone()) {
            return;
        }
        aside(() -> {
            if (ifStill.getAsBoolean()) {
                kernel.extend(ino, size);
                kernel.invalidateInode(ino, size - 1 & -4096L, 4096);
            }
        });
    }

    /** Tells the kernel something that is done at once unless it concerns a page that the very request holds locked; such a page holds nothing. */
    private void aside(Runnable notification) {
        Future<?> done = waiting.submit(notification);
        try {
            done.get(KERNEL_WAIT_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("a notification to the kernel is not done yet", e);
        }
    }

    /**
     * Commits, and if size or times are news to the owner, sees to it that other nodes do not go on believing the old ones: writeback of mapped
     * pages changes them without having the token.
     *
     * @param patiently on a request's behalf: waits for the token, where waiting is allowed; otherwise it is only asked for
     */
    void commit(FileState file, boolean durable, boolean patiently) throws FsException {
        if (!file.attrChanged || names.company().isAlone()) {
            commits.commit(file, durable);
            return;
        }
        int lane = access.tryLane(file);
        if (lane == FileTokens.REFUSED) {
            lane = patiently && access.mayWait() ? access.lane(file) : access.laneNow(file);
        }
        try {
            commits.commit(file, durable);
        } finally {
            FileAccess.exitIfHeld(file.attrTokens, lane);
        }
    }

    /** Makes what this node changed in a file durable, all but the owner's log. Where a brick or the owner was away, once it is back; though not for long. */
    void save(FileState file) throws FsException {
        Patience patience = new Patience(SAVE_PATIENCE_NS);
        while (true) {
            try {
                commit(file, true, true);
                return;
            } catch (DeadTileException e) {
                patience.check(e);
                reviveIfThere(file, e.tile());
            } catch (UnavailableException e) {
                patience.check(e);
                patience.pause();
            }
        }
    }

    /** Waits for its brick as a request does, and then leaves it to the caller's own patience. */
    private void reviveIfThere(FileState file, long tile) throws FsException {
        try {
            access.revive(file, tile);
        } catch (DeadTileException e) {
            LOG.debug("inode {}: {}", file.ino, e.getMessage());
        }
    }

    /** Gets hold of a tile again whose brick was away, for the next attempt to save it. The caller has retained the file. */
    void reviveSoon(FileState file, long tile) {
        if (reviving.add(file.ino) && files.retain(file)) {
            Thread.startVirtualThread(() -> {
                try {
                    access.revive(file, tile);
                } catch (FsException e) {
                    LOG.debug("inode {}: {}", file.ino, e.getMessage());
                } finally {
                    reviving.remove(file.ino);
                    release(file);
                }
            });
        }
    }

    void release(FileState file) {
        files.release(file);
        reapIfUnused(file.ino);
    }

    /** After the mount is gone and everything was committed: no kernel refers to an orphan any more. */
    void shutdown() {
        waiting.shutdown();
        names.close();
        for (long ino : Set.copyOf(orphans)) {
            if (files.find(ino) == null || files.discard(ino)) {
                orphans.remove(ino);
                service.unreferenced(ino);
            }
        }
    }
}
