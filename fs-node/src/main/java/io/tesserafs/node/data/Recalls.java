package io.tesserafs.node.data;

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

    private final NodeVolume volume;

    Recalls(NodeVolume volume) {
        this.volume = volume;
    }

    @Override
    public void invalidate(Resource resource, long fromByte, long toByte) {
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
        FileState file = volume.files.find(resource.inode());
        if (resource.kind() == Resource.Kind.ENTRIES || file == null || !volume.files.retain(file)) {
            return;
        }
        try {
            if (resource.kind() == Resource.Kind.DATA) {
                flushData(file, fromByte, toByte, keep);
            } else {
                flushAttributes(file, keep);
            }
        } catch (FsException e) {
            file.failed(e.errno());
            volume.counters.commitFailures.increment();
            LOG.warn("inode {}: what a recall asked for could not be saved: {}", file.ino, e.getMessage());
        } finally {
            volume.release(file);
        }
    }

    private void flushData(FileState file, long fromByte, long toByte, @Nullable Mode keep) throws FsException {
        long from = fromByte >>> TileMap.TILE_SHIFT;
        long to = Math.min((toByte - 1 >>> TileMap.TILE_SHIFT) + 1, TileMap.TILES_END);
        try {
            if (file.writers > 0) {
                materialise(file, fromByte, toByte);
            }
            handOver(file);
        } finally {
            if (keep == null) {
                long stamp = file.lock.writeLock();
                try {
                    file.tiles.markStale(from, to);
                    file.settleCalm();
                } finally {
                    file.lock.unlockWrite(stamp);
                }
            }
        }
    }

    /** Where a brick was away, once it is back; though not for long. */
    private void handOver(FileState file) throws FsException {
        for (int attempt = 1; ; attempt++) {
            try {
                volume.commits.handOver(file);
                return;
            } catch (DeadTileException e) {
                if (attempt == MAX_REVIVALS) {
                    throw e;
                }
                volume.access.reviveLeaving(file, e.tile());
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

    private static void shareTile(FileState file, long boundary) throws FsException {
        long index = boundary >>> TileMap.TILE_SHIFT;
        if (boundary % TileMap.TILE_BYTES != 0 && file.tiles.isFresh(index, index + 1)) {
            ExtentIo.materialise(file, index, index + 1);
        }
    }

    private void flushAttributes(FileState file, @Nullable Mode keep) throws FsException {
        try {
            volume.commits.settle(file);
        } finally {
            if (keep == null) {
                file.attrStale = true;
                file.attrWhole = false;
            }
        }
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
