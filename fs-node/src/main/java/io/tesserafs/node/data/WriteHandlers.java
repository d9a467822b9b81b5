package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.FileTokens.LockedPages;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Writes: ordinary ones under this node's lane of the attributes and the data; appends under the attributes as a whole, since only they say
 * where the end is; writeback of mapped pages under the data alone, whose token is held by construction.
 */
final class WriteHandlers {
    private static final int O_APPEND = 0x400;
    /** Part of O_SYNC; the kernel sets it for RWF_DSYNC and RWF_SYNC too, and for inodes and mounts that are synchronous. */
    private static final int O_DSYNC = 0x1000;

    private static final long PAGE_BYTES = 4096;

    /**
     * One WRITE.
     *
     * @param synced the handle whose fsync is part of it, or null
     */
    private record Write(
            Request rq,
            boolean direct,
            @Nullable OpenFile synced,
            FileState file,
            long offset,
            MemorySegment payload,
            boolean killSuidGid) {
        int length() {
            return (int) payload.byteSize();
        }

        long end() {
            return offset + payload.byteSize();
        }

        Write at(long elsewhere) {
            return new Write(rq, direct, synced, file, elsewhere, payload, killSuidGid);
        }
    }

    private final NodeVolume volume;
    private final FileAccess access;
    private final OpenHandlers opens;

    WriteHandlers(NodeVolume volume, OpenHandlers opens) {
        this.volume = volume;
        this.opens = opens;
        this.access = volume.access;
    }

    void write(
            Request rq,
            long ino,
            long handle,
            long offset,
            MemorySegment payload,
            boolean direct,
            boolean fromCache,
            boolean killSuidGid,
            int openFlags) {
        OpenFile open = volume.handles.find(handle);
        FileState file = IoHandlers.fileOf(open, ino);
        if (fromCache) {
            // The kernel picks any handle for writeback, perhaps one just closed.
            writeBack(rq, file == null ? volume.files.find(ino) : file, offset, payload, killSuidGid);
            return;
        }
        if (open == null || file == null) {
            rq.replyError(Errno.EBADF);
            return;
        }
        if (open.hasLostLocks()) {
            rq.replyError(Errno.EIO);
            return;
        }
        // After a buffered write the kernel sends an FSYNC. Not after a direct one if the handle has DIRECT_IO, nor if
        // the write is asynchronous.
        OpenFile synced = direct && (openFlags & O_DSYNC) != 0 ? open : null;
        Write write = new Write(rq, direct, synced, file, offset, payload, killSuidGid);
        if ((openFlags & O_APPEND) != 0) {
            append(write);
            return;
        }
        if (!direct || volume.names.company().isAlone()) {
            if (!tryHere(write)) {
                waitElsewhere(write, direct ? null : file.pendingWrites.add(offset, write.end()));
            }
            return;
        }
        PendingWrites.Pending pending = file.pendingWrites.add(offset, write.end());
        // In this order: a READ says first that it caches pages, then looks for writes.
        if (file.pagesCached || !tryHere(write)) {
            waitElsewhere(write, pending);
        } else {
            file.pendingWrites.done(pending);
        }
    }

    /** On the reader thread; false if something has to wait. */
    private boolean tryHere(Write write) {
        if (write.synced != null) {
            return false;
        }
        FileState file = write.file;
        boolean mayWait = access.mayWait();
        int lane = access.tryLane(file);
        if (lane == FileTokens.REFUSED && !mayWait) {
            lane = access.laneNow(file);
        }
        if (lane == FileTokens.REFUSED) {
            return false;
        }
        try {
            return writeHere(write.rq, file, write.offset, write.payload, write.killSuidGid, mayWait, false);
        } finally {
            file.attrTokens.exit(lane);
        }
    }

    private void waitElsewhere(Write write, PendingWrites.@Nullable Pending pending) {
        countWait(write);
        volume.serveElsewhere(write.rq, () -> {
            int n;
            try {
                dropCached(write);
                n = access.withLane(write.file, () -> writePatiently(write, lockedPages(write)));
            } finally {
                if (pending != null) {
                    write.file.pendingWrites.done(pending);
                }
            }
            reply(write, n);
        });
    }

    private void countWait(Write write) {
        if (write.synced == null) {
            volume.counters.tokenWaits.increment();
        }
    }

    /** Of what has been written, and shows; it is made durable first if that is part of the call. May wait. */
    private void reply(Write write, int bytes) throws FsException {
        if (write.synced != null) {
            opens.makeDurable(write.synced);
        }
        write.rq.replyWritten(bytes);
    }

    /**
     * The kernel fills pages before it sends the WRITE. Those that are complete then it does not lock; a page that it could fill only in part, since it did not
     * have the rest, stays locked, and ends the WRITE.
     */
    private static LockedPages lockedPages(Write write) {
        long lastPage = (write.end() - 1) & -PAGE_BYTES;
        boolean partial = write.end() % PAGE_BYTES != 0 || write.offset > lastPage;
        return write.direct || !partial ? LockedPages.NONE : new LockedPages(lastPage, write.end(), false);
    }

    /**
     * A direct write goes past pages that mappings and readers here have cached. They are written back first if they are dirty, and read anew after, which
     * the pending write sees to.
     */
    private void dropCached(Write write) throws FsException {
        if (write.direct && write.file.pagesCached && !volume.names.company().isAlone()) {
            access.dropPages(write.file, write.offset, write.end());
        }
    }

    /** The usual way, on the reader thread. False if something in it has to wait. */
    private boolean writeHere(
            Request rq,
            FileState file,
            long offset,
            MemorySegment payload,
            boolean killSuidGid,
            boolean mayWait,
            boolean fromCache) {
        if (file.attrStale && mayWait && !fromCache) {
            return false;
        }
        long end = offset + payload.byteSize();
        int ticket = file.tokens.tryEnter(offset, end, Mode.EXCLUSIVE);
        if (ticket == FileTokens.REFUSED && !mayWait && !fromCache) {
            ticket = file.tokens.enterNow(offset, end, Mode.EXCLUSIVE);
        }
        if (ticket == FileTokens.REFUSED) {
            return false;
        }
        try {
            int n = writeNow(file, offset, payload, mayWait, fromCache);
            if (n == ExtentIo.NOT_NOW) {
                return false;
            }
            finish(file, n, killSuidGid);
            rq.replyWritten(n);
            return true;
        } catch (DeadTileException e) {
            FileAccess.forget(file, e.tile());
            return false;
        } catch (FsException e) {
            rq.replyError(e.errno());
            return true;
        } finally {
            file.tokens.exit(ticket);
        }
    }

    private int writeNow(FileState file, long offset, MemorySegment payload, boolean mayWait, boolean fromCache)
            throws FsException {
        int length = (int) payload.byteSize();
        long now = WallClock.nowNs();
        if (fromCache || !file.attrStale) {
            int n = overwriteNow(file, offset, payload, now);
            if (n != ExtentIo.NOT_NOW) {
                return n;
            }
        }
        if (mayWait) {
            return ExtentIo.NOT_NOW;
        }
        if (!fromCache) {
            access.prepareAttr(file, false);
        }
        access.prepare(file, offset, offset + length);
        int all = FileAccess.tryAll(file, Mode.EXCLUSIVE);
        try {
            boolean whole = all != FileTokens.REFUSED;
            return whole || ExtentIo.hasTiles(file, offset, length)
                    ? ExtentIo.write(file, offset, payload, length, now, whole)
                    : ExtentIo.NOT_NOW;
        } finally {
            FileAccess.exitIfHeld(file.tokens, all);
        }
    }

    private int overwriteNow(FileState file, long offset, MemorySegment payload, long now) throws FsException {
        int length = (int) payload.byteSize();
        return switch (FileAccess.reach(file, offset, offset + length)) {
            case UNKNOWN -> ExtentIo.NOT_NOW;
            case NEAR -> ExtentIo.tryOverwrite(file, offset, payload, length, now);
            case FAR -> {
                if (!access.tryEnterFar()) {
                    yield ExtentIo.NOT_NOW;
                }
                try {
                    yield ExtentIo.tryOverwrite(file, offset, payload, length, now);
                } finally {
                    access.exitFar();
                }
            }
        };
    }

    /** Under the lane, on a thread that may wait. */
    private int writePatiently(Write write, LockedPages locked) throws FsException {
        FileState file = write.file;
        int n = access.withData(file, write.offset, write.end(), Mode.EXCLUSIVE, locked, () -> {
            int all = FileAccess.tryAll(file, Mode.EXCLUSIVE);
            try {
                boolean whole = all != FileTokens.REFUSED;
                return whole || ExtentIo.hasTiles(file, write.offset, write.length())
                        ? perform(write, whole)
                        : ExtentIo.NOT_NOW;
            } finally {
                FileAccess.exitIfHeld(file.tokens, all);
            }
        });
        if (n != ExtentIo.NOT_NOW) {
            return n;
        }
        // The tiles must change, and other nodes are in the file: so they are taken as wholes, once.
        return access.withTiles(file, write.offset, write.end(), locked, () -> perform(write, false));
    }

    private int perform(Write write, boolean whole) throws FsException {
        int n = ExtentIo.write(write.file, write.offset, write.payload, write.length(), WallClock.nowNs(), whole);
        finish(write.file, n, write.killSuidGid);
        return n;
    }

    private void finish(FileState file, int bytes, boolean killSuidGid) {
        if (killSuidGid) {
            file.wantClearSuidGid();
        }
        volume.files.queue(file);
        volume.counters.writes.increment();
        volume.counters.writtenBytes.add(bytes);
    }

    private void append(Write write) {
        FileState file = write.file;
        if (write.synced == null && tryAppendHere(write)) {
            return;
        }
        countWait(write);
        volume.serveElsewhere(
                write.rq, () -> reply(write, access.withAttributes(file, Mode.EXCLUSIVE, () -> appendAtEnd(write))));
    }

    /** On the reader thread; false if something has to wait. */
    private boolean tryAppendHere(Write write) {
        FileState file = write.file;
        boolean mayWait = access.mayWait();
        int attr = file.attrTokens.tryEnter(0, FileTokens.TO_END, Mode.EXCLUSIVE);
        if (attr == FileTokens.REFUSED && !mayWait) {
            attr = file.attrTokens.enterNow(0, FileTokens.TO_END, Mode.EXCLUSIVE);
        }
        if (attr == FileTokens.REFUSED) {
            return false;
        }
        try {
            return file.attrWhole
                    && file.size == write.offset
                    && writeHere(write.rq, file, write.offset, write.payload, write.killSuidGid, mayWait, false);
        } finally {
            file.attrTokens.exit(attr);
        }
    }

    /** Under the attributes as a whole. */
    private int appendAtEnd(Write write) throws FsException {
        FileState file = write.file;
        Write there = write.at(file.size);
        PendingWrites.Pending pending = file.pendingWrites.add(there.offset, there.end());
        try {
            dropCached(there);
            int n = writePatiently(there, lockedPages(write));
            if (!write.direct && there.offset != write.offset) {
                // The kernel believed the end to be elsewhere: what its page cache has is wrong here, and old there.
                volume.dropPages(file.ino, write.offset & -PAGE_BYTES, write.end());
                volume.dropPages(file.ino, there.offset & -PAGE_BYTES, there.end());
            }
            return n;
        } finally {
            file.pendingWrites.done(pending);
        }
    }

    private void writeBack(
            Request rq, @Nullable FileState file, long offset, MemorySegment payload, boolean killSuidGid) {
        if (file == null) {
            rq.replyError(Errno.EBADF);
            return;
        }
        if (offset + payload.byteSize() > file.size) {
            volume.serveElsewhere(rq, () -> rq.replyWritten(writeInside(rq, file, offset, payload, killSuidGid)));
            return;
        }
        if (writeHere(rq, file, offset, payload, killSuidGid, access.mayWait(), true)) {
            return;
        }
        Write write = new Write(rq, true, null, file, offset, payload, killSuidGid);
        volume.serveElsewhere(rq, () -> rq.replyWritten(writePatiently(write, LockedPages.NONE)));
    }

    /**
     * A mapping does not make a file longer: what the kernel writes of a page behind the end is nothing, if it has not heard yet where another node cut the file. The
     * owner says where that is.
     */
    private int writeInside(Request rq, FileState file, long offset, MemorySegment payload, boolean killSuidGid)
            throws FsException {
        long end = offset + payload.byteSize();
        int length = access.withData(file, offset, end, Mode.EXCLUSIVE, LockedPages.NONE, () -> {
            access.askSize(file);
            return (int) Math.clamp(file.size - offset, 0, payload.byteSize());
        });
        if (length > 0) {
            MemorySegment inside = payload.asSlice(0, length);
            int n = writePatiently(new Write(rq, true, null, file, offset, inside, killSuidGid), LockedPages.NONE);
            if (n < length) {
                return n;
            }
        }
        return (int) payload.byteSize();
    }
}
