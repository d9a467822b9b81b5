package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.TokenException;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.MemorySegment;

/** Reads, writes and everything else that touches the bytes of a file, under its tokens. */
final class IoHandlers {
    private static final int FALLOC_KEEP_SIZE = 1;
    private static final int FALLOC_PUNCH_HOLE = 2;
    private static final int FALLOC_ZERO_RANGE = 0x10;
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    private static final long DAY_NS = 24L * 3600 * 1_000_000_000L;

    private final NodeVolume volume;

    IoHandlers(NodeVolume volume) {
        this.volume = volume;
    }

    void read(Request rq, long ino, long handle, long offset, int size) {
        OpenFile open = volume.handles.find(handle);
        FileState file = open == null || open.ino != ino ? null : open.file;
        if (open == null || file == null) {
            rq.replyError(Errno.EBADF);
            return;
        }
        Mode mode = file.readMode();
        int ticket = file.tokens.tryEnter(offset, offset + size, mode);
        if (ticket == FileTokens.REFUSED) {
            ticket = file.tokens.enterNow(offset, offset + size, mode);
        }
        if (ticket != FileTokens.REFUSED) {
            readEntered(rq, open, file, ticket, offset, size);
            return;
        }
        volume.counters.tokenWaits.increment();
        volume.serveElsewhere(
                rq,
                () -> readEntered(rq, open, file, enter(file, offset, offset + size, file.readMode()), offset, size));
    }

    private void readEntered(Request rq, OpenFile open, FileState file, int ticket, long offset, int size) {
        try {
            int n = ExtentIo.read(file, rq, offset, size);
            volume.counters.reads.increment();
            volume.counters.readBytes.add(n);
            if (!open.noAtime) {
                relatime(file);
            }
        } catch (FsException e) {
            rq.replyError(e.errno());
        } finally {
            file.tokens.exit(ticket);
        }
    }

    /** As mount option relatime: the access time moves when it is older than a change, or than a day. */
    private void relatime(FileState file) {
        long atime = file.atimeNs;
        if (atime > file.mtimeNs && atime > file.ctimeNs && !file.attrChanged) {
            return; // by far the most common
        }
        long now = WallClock.nowNs();
        if (atime <= file.mtimeNs || atime <= file.ctimeNs || now - atime >= DAY_NS) {
            file.atimeNs = now;
            file.attrChanged = true;
            volume.files.queue(file);
        }
    }

    private static int enter(FileState file, long from, long to, Mode mode) throws FsException {
        try {
            return file.tokens.enter(from, to, mode);
        } catch (TokenException e) {
            throw new FsException(Failures.errno(e), "no token");
        }
    }

    void write(
            Request rq,
            long ino,
            long handle,
            long offset,
            MemorySegment payload,
            boolean fromCache,
            boolean killSuidGid) {
        OpenFile open = volume.handles.find(handle);
        FileState file = open == null || open.ino != ino ? null : open.file;
        if (file == null && fromCache) {
            file = volume.files.find(ino); // the kernel picks any handle for writeback, perhaps one just closed
        }
        if (file == null) {
            rq.replyError(Errno.EBADF);
            return;
        }
        FileState target = file;
        int length = (int) payload.byteSize();
        int ticket = target.tokens.tryEnter(offset, offset + length, Mode.EXCLUSIVE);
        if (ticket == FileTokens.REFUSED) {
            ticket = target.tokens.enterNow(offset, offset + length, Mode.EXCLUSIVE);
        }
        if (ticket != FileTokens.REFUSED) {
            writeEntered(rq, target, ticket, offset, payload, length, killSuidGid);
            return;
        }
        volume.counters.tokenWaits.increment();
        volume.serveElsewhere(rq, () -> {
            int late = enter(target, offset, offset + length, Mode.EXCLUSIVE);
            writeEntered(rq, target, late, offset, payload, length, killSuidGid);
        });
    }

    private void writeEntered(
            Request rq,
            FileState file,
            int ticket,
            long offset,
            MemorySegment payload,
            int length,
            boolean killSuidGid) {
        try {
            if (killSuidGid) {
                file.wantClearSuidGid();
            }
            int n = ExtentIo.write(file, offset, payload, 0, length, WallClock.nowNs());
            volume.files.queue(file);
            volume.counters.writes.increment();
            volume.counters.writtenBytes.add(n);
            rq.replyWritten(n);
        } catch (FsException e) {
            rq.replyError(e.errno());
        } finally {
            file.tokens.exit(ticket);
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
            int ticket = enter(file, offset, offset + length, Mode.EXCLUSIVE);
            long stamp = file.lock.writeLock();
            try {
                if (what != 0) {
                    ExtentIo.zero(file, offset, length, what == FALLOC_PUNCH_HOLE);
                }
                if (what != FALLOC_PUNCH_HOLE) {
                    ExtentIo.reserve(file, offset, length);
                }
                if (!keep) {
                    file.size = Math.max(file.size, offset + length);
                }
                file.modified(WallClock.nowNs());
                file.loose = true;
                file.clearSuidGid |= rq.uid() != 0; // the kernel leaves this to us and does not say who is privileged
            } finally {
                file.lock.unlockWrite(stamp);
                file.tokens.exit(ticket);
                volume.files.queue(file);
            }
            rq.replyOk();
        });
    }

    private FileState file(long ino, long handle) throws FsException {
        OpenFile open = volume.handles.get(handle);
        if (open.file == null || open.ino != ino) {
            throw new FsException(Errno.EBADF, "handle of another file");
        }
        return open.file;
    }

    void lseek(Request rq, long ino, long handle, long offset, int whence) {
        volume.serve(rq, () -> {
            if (whence != SEEK_DATA && whence != SEEK_HOLE) {
                throw new FsException(Errno.EINVAL, "whence");
            }
            rq.replyOffset(ExtentIo.seek(file(ino, handle), offset, whence == SEEK_DATA));
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
            int first = enter(from, offset, offset + length, from.readMode());
            try {
                int second = enter(to, outOffset, outOffset + length, Mode.EXCLUSIVE);
                try {
                    int n = FileCopy.copy(from, offset, to, outOffset, length);
                    to.clearSuidGid |= n > 0 && rq.uid() != 0;
                    rq.replyWritten(n);
                } finally {
                    to.tokens.exit(second);
                    volume.files.queue(to);
                }
            } finally {
                from.tokens.exit(first);
            }
        });
    }
}
