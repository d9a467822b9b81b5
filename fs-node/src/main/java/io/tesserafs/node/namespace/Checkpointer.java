package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes the tables into a chain of blocks while operations go on: the owner's lock is held for one batch of inodes or entries at a time. What
 * changes meanwhile is in the log from {@link #startLsn} on, and replay repeats it over the checkpoint.
 */
final class Checkpointer {
    /** Inodes, or entries of one directory, that are written under one hold of the lock: some hundred microseconds. */
    private static final int BATCH = 512;

    private final OwnerCore core;
    private final OwnerBlocks blocks;
    private final long epoch;
    private final Manifest manifest;
    private final LogMirror mirror;
    private final Mutations out = new Mutations();
    private final List<BlockId> written = new ArrayList<>();
    private @Nullable BlockId open;
    private int payload;
    private long startLsn;
    private long endLsn;
    /** A large directory whose entries are being written, batch by batch; 0 if none. */
    private long pendingDirectory;

    private long pendingCookie;

    Checkpointer(OwnerCore core, OwnerBlocks blocks, LogMirror mirror, long epoch, Manifest manifest) {
        this.core = core;
        this.blocks = blocks;
        this.mirror = mirror;
        this.epoch = epoch;
        this.manifest = manifest;
    }

    long startLsn() {
        return startLsn;
    }

    long endLsn() {
        return endLsn;
    }

    /** The chain, in order; also what has to be freed when {@link #run} failed. */
    List<BlockId> blocks() {
        return written;
    }

    /** {@code atStart} runs under the lock at the moment where the checkpoint begins. */
    void run(Runnable atStart) throws BrickException {
        long[] inos;
        core.lock.lock();
        try {
            startLsn = core.log.lastLsn() + 1;
            inos = core.tables.inodeNumbers();
            out.nextIno(core.tables.nextIno());
            out.nextBlock(core.tables.nextBlock());
            core.tables.requests().forEach((session, number, applied) -> out.request(session, number, 0, applied));
            atStart.run();
        } finally {
            core.lock.unlock();
        }
        open = allocate();
        payload = 0;
        for (int at = 0; at < inos.length; ) {
            core.lock.lock();
            try {
                int until = Math.min(inos.length, at + BATCH);
                while (at < until && pendingDirectory == 0) {
                    Inode inode = core.tables.inode(inos[at++]);
                    if (inode != null) {
                        writeInode(inode);
                    }
                }
            } finally {
                core.lock.unlock();
            }
            drain();
            while (pendingDirectory != 0) {
                writeMoreEntries();
                drain();
            }
        }
        core.lock.lock();
        try {
            endLsn = core.log.lastLsn();
        } finally {
            core.lock.unlock();
        }
        drain();
        finishBlock(null);
    }

    private void writeInode(Inode inode) {
        out.putInode(inode.attr());
        if (inode.xattrs != null) {
            for (Map.Entry<XattrName, byte[]> xattr : inode.xattrs.entrySet()) {
                out.putXattr(inode.ino, xattr.getKey().bytes(), xattr.getValue());
            }
        }
        if (inode.body instanceof byte[] target) {
            out.putSymlink(inode.ino, target);
        } else if (inode.body instanceof ExtentMap extents) {
            for (int i = 0; i < extents.count(); i++) {
                out.putExtent(
                        inode.ino, extents.tileAt(i), extents.blockAt(i), extents.packedAt(i), extents.durableAt(i));
            }
        } else if (inode.body instanceof Directory directory) {
            out.setParent(inode.ino, directory.parent(), directory.nextCookie());
            if (directory.size() > BATCH) {
                pendingDirectory = inode.ino;
                pendingCookie = 0;
            } else {
                writeEntries(inode.ino, directory, 0, BATCH);
            }
        }
    }

    private void writeMoreEntries() {
        core.lock.lock();
        try {
            Inode inode = core.tables.inode(pendingDirectory);
            Directory directory = inode == null ? null : inode.directory();
            if (directory == null) {
                pendingDirectory = 0;
                return;
            }
            pendingCookie = writeEntries(pendingDirectory, directory, pendingCookie, BATCH);
            if (pendingCookie == 0) {
                pendingDirectory = 0;
            }
        } finally {
            core.lock.unlock();
        }
    }

    /** Returns the cookie of the last entry written, or 0 when the end was reached. */
    private long writeEntries(long ino, Directory directory, long afterCookie, int limit) {
        int count = 0;
        for (int slot = directory.after(afterCookie); slot < directory.slots(); slot++) {
            byte[] name = directory.nameAt(slot);
            if (name != null) {
                out.putEntry(ino, directory.cookieAt(slot), directory.inoAt(slot), name);
                if (++count == limit) {
                    return directory.cookieAt(slot);
                }
            }
        }
        return 0;
    }

    /** Moves what was encoded into blocks; mutations may straddle blocks, since the payloads are read as one stream. */
    private void drain() throws BrickException {
        ByteBuffer in = out.view();
        while (in.hasRemaining()) {
            int room = LogFormat.SEGMENT_BYTES - LogFormat.HEADER_BYTES - payload;
            if (room == 0) {
                BlockId next = allocate();
                finishBlock(next);
                open = next;
                payload = 0;
                continue;
            }
            int n = Math.min(room, in.remaining());
            ByteBuffer block = blocks.buffer().order(ByteOrder.LITTLE_ENDIAN);
            block.put(LogFormat.HEADER_BYTES + payload, in, in.position(), n);
            in.position(in.position() + n);
            payload += n;
        }
        out.clear();
    }

    private BlockId allocate() throws BrickException {
        BlockId id;
        core.lock.lock();
        try {
            id = core.grant(1)[0];
        } finally {
            core.lock.unlock();
        }
        blocks.brick().alloc(id);
        written.add(id);
        return id;
    }

    private void finishBlock(@Nullable BlockId next) throws BrickException {
        BlockId id = open;
        if (id == null) {
            throw new IllegalStateException("no checkpoint block is open");
        }
        int index = written.lastIndexOf(id);
        blocks.writeCheckpointBlock(id, epoch, index, payload, next, manifest);
        mirror.copy(id, LogFormat.HEADER_BYTES + payload);
    }
}
