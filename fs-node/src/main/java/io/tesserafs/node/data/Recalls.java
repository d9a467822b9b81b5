package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenClient;
import io.tesserafs.fuse.FuseSession;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeService;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the owner's recalls do here: the kernel forgets, unsaved changes go to the owner, and what this node knew becomes stale. */
final class Recalls implements TokenClient.RecallHandler {
    private static final Logger LOG = LoggerFactory.getLogger(Recalls.class);
    /** Tiles of one file whose brick was away, in one recall. Who waits has the file revoked in the end. */
    private static final int MAX_REVIVALS = 64;

    /** For a brick that is back but not known to the owner yet; well below what a recall may take. */
    private final NodeVolume volume;

    Recalls(NodeVolume volume) {
        this.volume = volume;
    }

    @Override
    public void invalidate(Resource resource, long fromByte, long toByte) {
        drop(resource, fromByte, toByte);
        FileState file = resource.kind() == Resource.Kind.DATA ? volume.files.find(resource.inode()) : null;
        if (file != null) {
            awaitWriteback(file, fromByte, toByte);
        }
    }

    /** See {@link FuseSession#awaitWriteback}. */
    void awaitWriteback(FileState file, long fromByte, long toByte) {
        FuseSession kernel = volume.session;
        if (kernel != null && file.mayBeMapped()) {
            kernel.awaitWriteback(file.ino, fromByte, toByte);
        }
    }

    /** What the kernel is writing is refused, since there is no token for it; it is waited for before the next session begins. */
    @Override
    public void forget(Resource resource) {
        drop(resource, 0, FileTokens.TO_END);
    }

    private void drop(Resource resource, long fromByte, long toByte) {
        FuseSession kernel = volume.session;
        if (kernel == null) {
            return;
        }
        switch (resource.kind()) {
            case DATA ->
                kernel.invalidateInode(resource.inode(), fromByte, toByte == Long.MAX_VALUE ? 0 : toByte - fromByte);
            case ATTR -> kernel.invalidateInode(resource.inode(), -1, 0);
            case ENTRIES -> {
                kernel.incrementEpoch();
                kernel.invalidateInode(resource.inode(), -1, 0);
            }
        }
    }

    @Override
    public void flush(Resource resource, long fromByte, long toByte, @Nullable Mode keep) {
        flush(resource, fromByte, toByte, keep, true);
    }

    private void flush(Resource resource, long fromByte, long toByte, @Nullable Mode keep, boolean patient) {
        if (resource.kind() != Resource.Kind.DATA && keep == null) {
            drop(
                    resource, fromByte,
                    toByte); // once more: what was answered between the first time and now is from before the change
        }
        FileState file = volume.files.find(resource.inode());
        if (resource.kind() == Resource.Kind.ENTRIES || file == null || !volume.files.retain(file)) {
            return;
        }
        int sessions = file.sessionsLost;
        try {
            if (resource.kind() == Resource.Kind.DATA) {
                flushData(file, fromByte, toByte, keep, patient);
            } else {
                flushAttributes(file, fromByte, toByte, keep);
            }
        } catch (FsException e) {
            file.failedIn(sessions, e.errno());
            volume.counters.commitFailures.increment();
            LOG.warn("inode {}: what a recall asked for could not be saved: {}", file.ino, e.getMessage());
        } finally {
            volume.release(file);
        }
    }

    /** Of a file's data one at a time: whether all of a tile is this node's is known for certain then until it is given away. */
    @Override
    public void giveBack(Resource resource, long fromByte, long toByte, @Nullable Mode keep, Runnable release) {
        FileState file = resource.kind() == Resource.Kind.DATA ? volume.files.find(resource.inode()) : null;
        if (file == null || !volume.files.retain(file)) {
            TokenClient.RecallHandler.super.giveBack(resource, fromByte, toByte, keep, release);
            return;
        }
        long since = System.nanoTime();
        file.leaveLock.lock();
        try {
            // One that waited for a brick or the owner in vain waited for all that stood behind it.
            boolean patient = file.handOverFailedNs == 0 || file.handOverFailedNs - since < 0;
            flush(resource, fromByte, toByte, keep, patient);
            release.run();
        } finally {
            file.leaveLock.unlock();
            volume.release(file);
        }
    }

    private void flushData(FileState file, long fromByte, long toByte, @Nullable Mode keep, boolean patient)
            throws FsException {
        long from = fromByte >>> TileMap.TILE_SHIFT;
        long to = Math.min((toByte - 1 >>> TileMap.TILE_SHIFT) + 1, TileMap.TILES_END);
        int sessions = file.sessionsLost;
        boolean saved = false;
        try {
            if (file.writers > 0) {
                tryMaterialise(file, fromByte, toByte);
            }
            handOver(file, patient);
            saved = true;
        } finally {
            if (!saved) {
                file.handOverFailedNs = System.nanoTime();
            }
            if (keep == null) {
                giveUp(file, from, to, saved || file.sessionsLost != sessions); // then it was given up already
            }
        }
    }

    /** The token goes. What could not be saved under it must not be saved later, over what somebody else has written by then; the caller reports it. */
    private static void giveUp(FileState file, long fromTile, long toTile, boolean saved) {
        file.commitLock.lock();
        try {
            long stamp = file.lock.writeLock();
            try {
                if (!saved) {
                    file.tiles.abandon(fromTile, toTile);
                    file.holes.removeIf(index -> index >= fromTile && index < toTile);
                }
                file.tiles.markStale(fromTile, toTile);
                file.settleCalm();
            } finally {
                file.lock.unlockWrite(stamp);
            }
        } finally {
            file.commitLock.unlock();
        }
    }

    /**
     * Without space for it, who writes back the rest of such a tile later has to get that first, or hears that there is none; what was written so far must be
     * handed over in any case.
     */
    private static void tryMaterialise(FileState file, long fromByte, long toByte) {
        try {
            materialise(file, fromByte, toByte);
        } catch (FsException e) {
            LOG.debug("inode {}: a tile that is shared cannot have a block for itself: {}", file.ino, e.getMessage());
        }
    }

    /** Where a brick was away, once it is back; though not for long. */
    private void handOver(FileState file, boolean patient) throws FsException {
        for (int attempt = 1; ; attempt++) {
            try {
                if (patient) {
                    Patience.untilAvailable(() -> volume.commits.handOver(file));
                } else {
                    volume.commits.handOver(file);
                }
                return;
            } catch (DeadTileException e) {
                if (attempt == MAX_REVIVALS) {
                    throw e;
                }
                volume.access.reviveLeaving(file, e.tile(), patient);
            }
        }
    }

    /** Tiles of which only a part goes are shared from now on. */
    private static void materialise(FileState file, long fromByte, long toByte) throws FsException {
        long stamp = file.lock.writeLock();
        try {
            shareTile(file, fromByte);
            shareTile(file, toByte);
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    /**
     * Only of a tile that is this node's alone: another one that has any token of it believes to know where its bytes are. Who has it only in part, and may have
     * changes of mapped pages, got it from somebody who saw to this, or saw to it when it read those pages.
     */
    private static void shareTile(FileState file, long boundary) throws FsException {
        long index = boundary >>> TileMap.TILE_SHIFT;
        long start = index << TileMap.TILE_SHIFT;
        if (boundary % TileMap.TILE_BYTES != 0
                && start < file.size
                && file.tiles.isFresh(index, index + 1)
                && file.tokens.isHeld(start, start + TileMap.TILE_BYTES, Mode.EXCLUSIVE)) {
            ExtentIo.materialise(file, index, index + 1);
        }
    }

    /**
     * What is changed here and not saved belongs to this node's lane. Without another one's, sizes and times stay what they are, but need not be the newest any
     * more; and somebody may be writing under our own meanwhile.
     */
    private void flushAttributes(FileState file, long fromByte, long toByte, @Nullable Mode keep) throws FsException {
        if (!volume.access.isLane(fromByte, toByte)) {
            if (keep == null) {
                file.attrWhole = false;
            }
            return;
        }
        int sessions = file.sessionsLost;
        boolean saved = false;
        try {
            Patience.untilAvailable(() -> saveAttributes(file, keep));
            saved = true;
        } finally {
            if (!saved && keep == null && file.sessionsLost == sessions) {
                giveUpAttributes(file);
            }
        }
    }

    private void saveAttributes(FileState file, @Nullable Mode keep) throws FsException {
        file.commitLock.lock();
        try {
            volume.commits.commitLocked(file, false);
            if (keep == null) {
                forgetAttributes(file); // before another commit can begin, which would tell the owner an old size
            }
        } finally {
            file.commitLock.unlock();
        }
    }

    /** As {@link #giveUp}. */
    private static void giveUpAttributes(FileState file) {
        file.commitLock.lock();
        try {
            forgetAttributes(file);
            file.sizeChanged = false;
            file.mtimeChanged = false;
            file.atimeChanged = false;
        } finally {
            file.commitLock.unlock();
        }
    }

    private static void forgetAttributes(FileState file) {
        file.attrStale = true;
        file.attrWhole = false;
    }

    /** Everything that the kernel was told while no tokens were needed. */
    void forgetAll() {
        FuseSession kernel = volume.session;
        if (kernel == null) {
            return;
        }
        kernel.incrementEpoch();
        kernel.invalidateInode(VolumeService.ROOT, -1, 0);
        volume.references.forEach(ino -> kernel.invalidateInode(ino, -1, 0));
    }
}
