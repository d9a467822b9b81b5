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
    private static final int O_DIRECT = 0x4000;
    private static final long PAGE_BYTES = 4096;

    /** One WRITE. */
    private record Write(
            Request rq, boolean direct, FileState file, long offset, MemorySegment payload, boolean killSuidGid) {
        int length() {
            return (int) payload.byteSize();
        }

        long end() {
            return offset + payload.byteSize();
        }

        Write at(long elsewhere) {
            return new Write(rq, direct, file, elsewhere, payload, killSuidGid);
        }
    }

    private final NodeVolume volume;
    private final FileAccess access;

    WriteHandlers(NodeVolume volume) {
        this.volume = volume;
        this.access = volume.access;
    }

    void write(
            Request rq,
            long ino,
            long handle,
            long offset,
            MemorySegment payload,
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
        boolean direct = (openFlags & O_DIRECT) != 0 || open.direct;
        if ((openFlags & O_APPEND) != 0) {
            append(new Write(rq, direct, file, offset, payload, killSuidGid));
            return;
        }
        boolean mayWait = access.mayWait();
        int lane = access.tryLane(file);
        if (lane == FileTokens.REFUSED && !mayWait) {
            lane = access.laneNow(file);
        }
        if (lane != FileTokens.REFUSED) {
            try {
                if (writeHere(rq, file, offset, payload, killSuidGid, mayWait, false)) {
                    return;
                }
            } finally {
                file.attrTokens.exit(lane);
            }
        }
        volume.counters.tokenWaits.increment();
        Write write = new Write(rq, direct, file, offset, payload, killSuidGid);
        serveElsewhere(write, () -> {
            int n = access.withLane(file, () -> writePatiently(write, lockedPages(write)));
            rq.replyWritten(n);
        });
    }

    /** Reads into the page cache come after it. */
    private void serveElsewhere(Write write, NodeVolume.Work work) {
        if (write.direct) {
            volume.serveElsewhere(write.rq, work);
            return;
        }
        PendingWrites.Pending pending = write.file.pendingWrites.add(write.offset, write.end());
        volume.serveElsewhere(write.rq, () -> {
            try {
                work.run();
            } finally {
                write.file.pendingWrites.done(pending);
            }
        });
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
        if (file.calm && (fromCache || !file.attrStale)) {
            int n = ExtentIo.tryOverwrite(file, offset, payload, length, now);
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
        boolean mayWait = access.mayWait();
        int attr = file.attrTokens.tryEnter(0, FileTokens.TO_END, Mode.EXCLUSIVE);
        if (attr == FileTokens.REFUSED && !mayWait) {
            attr = file.attrTokens.enterNow(0, FileTokens.TO_END, Mode.EXCLUSIVE);
        }
        if (attr != FileTokens.REFUSED) {
            try {
                if (file.attrWhole
                        && file.size == write.offset
                        && writeHere(write.rq, file, write.offset, write.payload, write.killSuidGid, mayWait, false)) {
                    return;
                }
            } finally {
                file.attrTokens.exit(attr);
            }
        }
        volume.counters.tokenWaits.increment();
        serveElsewhere(write, () -> {
            int n = access.withAttributes(file, Mode.EXCLUSIVE, () -> {
                Write there = write.at(file.size);
                int written = writePatiently(there, lockedPages(write));
                if (there.offset != write.offset) {
                    dropMisplaced(write, there);
                }
                return written;
            });
            write.rq.replyWritten(n);
        });
    }

    /** The kernel believed the end of the file to be elsewhere: what it has in its page cache is wrong here, and old there. */
    private void dropMisplaced(Write believed, Write there) {
        long ino = believed.file.ino;
        volume.dropPages(ino, there.offset & -PAGE_BYTES, there.end());
        if (!believed.direct) {
            volume.dropPages(ino, believed.offset & -PAGE_BYTES, believed.end());
        }
    }

    private void writeBack(
            Request rq, @Nullable FileState file, long offset, MemorySegment payload, boolean killSuidGid) {
        if (file == null) {
            rq.replyError(Errno.EBADF);
            return;
        }
        if (writeHere(rq, file, offset, payload, killSuidGid, access.mayWait(), true)) {
            return;
        }
        Write write = new Write(rq, true, file, offset, payload, killSuidGid);
        volume.serveElsewhere(rq, () -> rq.replyWritten(writePatiently(write, LockedPages.NONE)));
    }
}
