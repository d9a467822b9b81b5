package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.FileTokens.LockedPages;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import org.jspecify.annotations.Nullable;

/** Reads, and whatever else looks at or moves bytes of files, under their tokens; see {@link WriteHandlers} for writes. */
final class IoHandlers {
    private static final int FALLOC_KEEP_SIZE = 1;
    private static final int FALLOC_PUNCH_HOLE = 2;
    private static final int FALLOC_ZERO_RANGE = 0x10;
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    private static final long DAY_NS = 24L * 3600 * 1_000_000_000L;

    /** Instead of a number of bytes: the READ has to wait. */
    private static final int BEHIND_WRITES = -100;

    private final NodeVolume volume;
    private final FileAccess access;

    IoHandlers(NodeVolume volume) {
        this.volume = volume;
        this.access = volume.access;
    }

    void read(Request rq, long ino, long handle, long offset, int size, boolean direct) {
        OpenFile open = volume.handles.find(handle);
        FileState file = open == null || open.ino != ino ? null : open.file;
        if (open == null || file == null) {
            rq.replyError(Errno.EBADF);
            return;
        }
        if (open.hasLostLocks()) {
            rq.replyError(Errno.EIO);
            return;
        }
        boolean mayWait = access.mayWait();
        Mode mode = direct ? Mode.SHARED : file.readMode();
        boolean behindWrites = !direct && !mayPass(file, offset, offset + size);
        int ticket = behindWrites ? FileTokens.REFUSED : file.tokens.tryEnter(offset, offset + size, mode);
        if (ticket == FileTokens.REFUSED && !mayWait && !behindWrites) {
            ticket = file.tokens.enterNow(offset, offset + size, mode);
        }
        if (ticket != FileTokens.REFUSED) {
            try {
                if (readNow(rq, open, file, offset, size, mayWait, direct)) {
                    return;
                }
            } catch (DeadTileException e) {
                FileAccess.forget(file, e.tile());
            } catch (FsException e) {
                rq.replyError(e.errno());
                return;
            } finally {
                file.tokens.exit(ticket);
            }
        }
        volume.counters.tokenWaits.increment();
        LockedPages locked = direct ? LockedPages.NONE : new LockedPages(offset, offset + size, true);
        volume.serveElsewhere(rq, () -> {
            if (!readPatiently(rq, open, file, offset, size, locked, !direct || knowsItsEnd(file))) {
                access.withAttributes(
                        file, Mode.SHARED, () -> readPatiently(rq, open, file, offset, size, locked, true));
            }
        });
    }

    /** Whether a READ into the page cache may be answered now: no WRITE of its pages is under way that would miss them. */
    private static boolean mayPass(FileState file, long from, long to) {
        if (!file.pagesCached) {
            file.pagesCached = true; // first, see WriteHandlers
        }
        return !file.pendingWrites.concern(from, to);
    }

    /**
     * For a direct read near the end as this node knows it: the file may have grown elsewhere, with a hole here. Reads into the page cache need not care,
     * since the kernel asks for the attributes first; and must not, since they hold pages locked.
     */
    private boolean knowsItsEnd(FileState file) {
        if (volume.names.company().isAlone()) {
            return true;
        }
        int ticket = file.attrTokens.tryEnter(0, FileTokens.TO_END, Mode.SHARED);
        FileAccess.exitIfHeld(file.attrTokens, ticket);
        return ticket != FileTokens.REFUSED && file.attrWhole;
    }

    /** False if the file seems to end within the range, and that is not sure. */
    private boolean readPatiently(
            Request rq, OpenFile open, FileState file, long offset, int size, LockedPages locked, boolean knowsEnd)
            throws FsException {
        int n = ExtentIo.SHORT;
        boolean answered = false;
        while (!answered) {
            boolean mappable = !locked.isEmpty();
            if (mappable) {
                access.awaitWrites(file, locked);
            }
            Mode mode = mappable ? file.readMode() : Mode.SHARED;
            FileAccess.Work<Integer> read = () -> {
                if (mappable && !mayPass(file, offset, offset + size)) {
                    return BEHIND_WRITES;
                }
                rq.clearData();
                touch(open, file);
                return ExtentIo.read(file, rq, offset, size, knowsEnd);
            };
            n = access.withData(
                    file,
                    offset,
                    offset + size,
                    mode,
                    locked,
                    () -> isMappable(file, offset, size, mode) ? read.run() : ExtentIo.NOT_NOW);
            if (n == ExtentIo.NOT_NOW) {
                n = access.withTiles(file, offset, offset + size, locked, () -> {
                    materialise(file, offset, size);
                    return read.run();
                });
            }
            answered = n != BEHIND_WRITES;
        }
        return n != ExtentIo.SHORT && done(n);
    }

    /** False if the kernel may dirty the pages it reads, and tiles under them are shared with other nodes but not valid. */
    private static boolean isMappable(FileState file, long offset, int size, Mode mode) {
        long end = Math.min(offset + size, file.size);
        if (mode == Mode.SHARED || end <= offset || ExtentIo.hasTiles(file, offset, (int) (end - offset))) {
            return true;
        }
        int all = FileAccess.tryAll(file, Mode.EXCLUSIVE);
        FileAccess.exitIfHeld(file.tokens, all);
        return all != FileTokens.REFUSED; // who asks for part of a tile later gets it valid: see the recall
    }

    private static void materialise(FileState file, long offset, int size) throws FsException {
        long stamp = file.lock.writeLock();
        try {
            ExtentIo.materialise(file, offset >>> TileMap.TILE_SHIFT, (offset + size - 1 >>> TileMap.TILE_SHIFT) + 1);
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    /** Under the token; false if that would have to wait for another host, other than for the bytes. */
    private boolean readNow(
            Request rq, OpenFile open, FileState file, long offset, int size, boolean mayWait, boolean direct)
            throws FsException {
        if (!mayWait) {
            access.prepare(file, offset, offset + size);
            return readFetched(rq, open, file, offset, size, false, direct);
        }
        return switch (FileAccess.reach(file, offset, offset + size)) {
            case UNKNOWN -> false;
            case NEAR -> readFetched(rq, open, file, offset, size, true, direct);
            case FAR -> {
                // Handing over to another thread takes about as long as the bytes do.
                if (!access.tryEnterFar()) {
                    yield false;
                }
                try {
                    yield readFetched(rq, open, file, offset, size, true, direct);
                } finally {
                    access.exitFar();
                }
            }
        };
    }

    /** Where the bytes are is known. */
    private boolean readFetched(
            Request rq, OpenFile open, FileState file, long offset, int size, boolean mayWait, boolean direct)
            throws FsException {
        boolean tell = mayWait && !file.calm && FileAccess.hasToTellSize(file, offset, offset + size);
        if (tell || !isMappable(file, offset, size, direct ? Mode.SHARED : file.readMode())) {
            return false;
        }
        boolean knowsEnd = !direct || offset + size <= file.size || knowsItsEnd(file);
        touch(open, file);
        int n = mayWait
                ? ExtentIo.tryRead(file, rq, offset, size, knowsEnd)
                : ExtentIo.read(file, rq, offset, size, knowsEnd);
        return n >= 0 && done(n);
    }

    private boolean done(int bytes) {
        volume.counters.reads.increment();
        volume.counters.readBytes.add(bytes);
        return true;
    }

    /**
     * As mount option relatime: the access time moves when it is older than a change, or than a day. Before the READ is answered: who is told of it
     * may look at the times at once.
     */
    private void touch(OpenFile open, FileState file) {
        if (open.noAtime) {
            return;
        }
        long atime = file.atimeNs;
        if (atime > file.mtimeNs && atime > file.ctimeNs && !file.attrChanged) {
            return; // by far the most common
        }
        long now = WallClock.nowNs();
        if (atime <= file.mtimeNs || atime <= file.ctimeNs || now - atime >= DAY_NS) {
            file.atimeNs = now;
            file.atimeChanged = true;
            file.attrChanged = true;
            volume.files.queue(file);
        }
    }

    void fallocate(Request rq, long ino, long handle, long offset, long length, int mode) {
        volume.serveElsewhere(rq, () -> {
            FileState file = file(ino, handle);
            if (length <= 0 || offset > ExtentIo.MAX_FILE_BYTES - length) {
                throw new FsException(length <= 0 ? Errno.EINVAL : Errno.EFBIG, "range");
            }
            boolean keep = (mode & FALLOC_KEEP_SIZE) != 0;
            int what = mode & ~FALLOC_KEEP_SIZE;
            if (what != 0 && what != FALLOC_ZERO_RANGE && !(what == FALLOC_PUNCH_HOLE && keep)) {
                throw new FsException(Errno.EOPNOTSUPP, "fallocate mode");
            }
            boolean privileged = rq.uid() == 0;
            access.withLane(
                    file,
                    () -> access.withTiles(
                            file,
                            offset,
                            offset + length,
                            LockedPages.NONE,
                            () -> allocate(file, offset, length, what, keep, privileged)));
            rq.replyOk();
        });
    }

    private boolean allocate(FileState file, long offset, long length, int what, boolean keep, boolean privileged)
            throws FsException {
        int all = FileAccess.tryAll(file, Mode.EXCLUSIVE);
        long stamp = file.lock.writeLock();
        try {
            if (what != 0) {
                ExtentIo.zero(file, offset, length, what == FALLOC_PUNCH_HOLE);
            }
            if (what != FALLOC_PUNCH_HOLE) {
                ExtentIo.reserve(file, offset, length, all != FileTokens.REFUSED);
            }
            if (!keep) {
                file.grow(offset + length);
            }
            file.modified(WallClock.nowNs());
            file.loose = true;
            if (!privileged) {
                file.wantClearSuidGid(); // the kernel leaves this to us and does not say who is privileged
            }
            return true;
        } finally {
            file.lock.unlockWrite(stamp);
            FileAccess.exitIfHeld(file.tokens, all);
            volume.files.queue(file);
        }
    }

    private FileState file(long ino, long handle) throws FsException {
        OpenFile open = volume.handles.get(handle);
        if (open.file == null || open.ino != ino) {
            throw new FsException(Errno.EBADF, "handle of another file");
        }
        if (open.hasLostLocks()) {
            throw new FsException(Errno.EIO, "a lock that was taken through it is lost");
        }
        return open.file;
    }

    void lseek(Request rq, long ino, long handle, long offset, int whence) {
        volume.serveElsewhere(rq, () -> {
            if (whence != SEEK_DATA && whence != SEEK_HOLE) {
                throw new FsException(Errno.EINVAL, "whence");
            }
            FileState file = file(ino, handle);
            long from = Math.max(0, offset);
            rq.replyOffset(access.withAttributes(
                    file,
                    Mode.SHARED,
                    () -> access.withData(
                            file,
                            from,
                            FileTokens.TO_END,
                            Mode.SHARED,
                            LockedPages.NONE,
                            () -> ExtentIo.seek(file, offset, whence == SEEK_DATA))));
        });
    }

    void copyFileRange(
            Request rq, long ino, long handle, long offset, long outIno, long outHandle, long outOffset, long length) {
        volume.serveElsewhere(rq, () -> {
            FileState from = file(ino, handle);
            FileState to = file(outIno, outHandle);
            if (from == to && offset < outOffset + length && outOffset < offset + length) {
                throw new FsException(Errno.EINVAL, "overlapping ranges");
            }
            boolean privileged = rq.uid() == 0;
            FileAccess.Work<Integer> copy = () -> copy(from, offset, to, outOffset, length, privileged);
            rq.replyWritten(withSizes(from, to, () -> {
                if (from == to) {
                    long first = Math.min(offset, outOffset);
                    long end = Math.max(offset, outOffset) + length;
                    return access.withTiles(to, first, end, LockedPages.NONE, copy);
                }
                return from.ino < to.ino
                        ? withSource(from, offset, length, () -> withTarget(to, outOffset, length, copy))
                        : withTarget(to, outOffset, length, () -> withSource(from, offset, length, copy));
            }));
        });
    }

    /** Runs work that depends on the size of one file and changes that of the other. */
    private int withSizes(FileState from, FileState to, FileAccess.Work<Integer> work) throws FsException {
        if (from == to) {
            return access.withAttributes(to, Mode.EXCLUSIVE, work);
        }
        return from.ino < to.ino
                ? access.withAttributes(from, Mode.SHARED, () -> access.withLane(to, work))
                : access.withLane(to, () -> access.withAttributes(from, Mode.SHARED, work));
    }

    private int withSource(FileState file, long offset, long length, FileAccess.Work<Integer> work) throws FsException {
        return access.withData(file, offset, offset + length, file.readMode(), LockedPages.NONE, work);
    }

    private int withTarget(FileState file, long offset, long length, FileAccess.Work<Integer> work) throws FsException {
        return access.withTiles(file, offset, offset + length, LockedPages.NONE, work);
    }

    /** Under the tokens of both. */
    private int copy(FileState from, long offset, FileState to, long outOffset, long length, boolean privileged)
            throws FsException {
        // What was forgotten in the last attempt: who tries again sees to one of the files only.
        access.prepare(from, offset, offset + length);
        access.prepare(to, outOffset, outOffset + length);
        int all = FileAccess.tryAll(to, Mode.EXCLUSIVE);
        try {
            int n = FileCopy.copy(from, offset, to, outOffset, length, all != FileTokens.REFUSED);
            if (n > 0 && !privileged) {
                to.wantClearSuidGid();
            }
            return n;
        } catch (DeadTileException e) {
            FileAccess.forget(from, e.tile());
            FileAccess.forget(to, e.tile()); // whichever it was
            throw e;
        } finally {
            FileAccess.exitIfHeld(to.tokens, all);
            volume.files.queue(to);
        }
    }

    /** The open file of a request, null if handle and inode do not belong together. */
    @Nullable
    static FileState fileOf(@Nullable OpenFile open, long ino) {
        return open == null || open.ino != ino ? null : open.file;
    }
}
