package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.OpenFlags;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import org.jspecify.annotations.Nullable;

/** Handles of regular files: from open, create or O_TMPFILE to the last release, and what makes them durable. */
final class OpenHandlers {
    private static final int O_ACCMODE = 3;
    private static final int O_EXCL = 0x80;
    private static final int O_TRUNC = 0x200;
    private static final int O_NOATIME = 0x40000;

    private final NodeVolume volume;
    private final AttrHandlers attributes;

    OpenHandlers(NodeVolume volume, AttrHandlers attributes) {
        this.volume = volume;
        this.attributes = attributes;
    }

    void open(Request rq, long ino, int flags, boolean killSuidGid) {
        volume.serve(rq, () -> {
            FileState file = volume.files.acquire(ino);
            boolean opened = false;
            try {
                if ((flags & O_TRUNC) != 0) {
                    attributes.truncate(file, 0, killSuidGid);
                }
                long handle = handle(file, flags);
                opened = true;
                if (!rq.replyOpen(handle, openFlags(flags) | keepCache(file))) {
                    close(handle);
                }
            } finally {
                if (!opened) {
                    volume.release(file);
                }
            }
        });
    }

    /** Takes over the caller's reference to the file. */
    private long handle(FileState file, int flags) throws FsException {
        boolean writable = (flags & O_ACCMODE) != 0;
        boolean noAtime = volume.options.noAtime() || (flags & O_NOATIME) != 0;
        long handle = volume.handles.add(new OpenFile(file.ino, file, writable, noAtime));
        if (writable) {
            file.countWriters(1);
        }
        return handle;
    }

    /** What the kernel has cached is good only if the token was held all the time: a recall would have dropped it, giving up would not. */
    private static int keepCache(FileState file) {
        int ticket = file.tokens.tryEnter(0, FileTokens.TO_END, Mode.SHARED);
        if (ticket == FileTokens.REFUSED) {
            return 0;
        }
        file.tokens.exit(ticket);
        return OpenFlags.KEEP_CACHE;
    }

    private static int openFlags(int flags) {
        int reader = (flags & O_ACCMODE) == 0 ? OpenFlags.NOFLUSH : 0;
        return OpenFlags.PARALLEL_DIRECT_WRITES | reader;
    }

    void create(Request rq, long parent, byte[] name, int mode, int flags, boolean killSuidGid) {
        volume.serve(rq, () -> {
            FileState file;
            InodeAttr attr;
            try {
                attr = volume.service.create(
                        parent,
                        name,
                        InodeAttr.S_IFREG | mode & ~InodeAttr.S_IFMT,
                        0,
                        null,
                        EntryHandlers.creator(rq),
                        WallClock.nowNs());
                file = volume.files.acquireNew(attr);
            } catch (FsException e) {
                if (e.errno() != Errno.EEXIST || (flags & O_EXCL) != 0) {
                    throw e;
                }
                file = existing(parent, name, flags, killSuidGid);
                attr = file.overlay(volume.service.getattr(file.ino));
            }
            replyCreated(rq, file, attr, flags);
        });
    }

    /** Another host or process made the file since the kernel looked. */
    private FileState existing(long parent, byte[] name, int flags, boolean killSuidGid) throws FsException {
        InodeAttr found = volume.service.lookup(parent, name);
        if (found == null) {
            throw new FsException(Errno.ENOENT, "removed meanwhile");
        }
        if (!found.isRegular()) {
            throw new FsException(found.isDirectory() ? Errno.EISDIR : Errno.ESTALE, "not a regular file");
        }
        FileState file = volume.files.acquire(found.ino());
        if ((flags & O_TRUNC) != 0) {
            boolean done = false;
            try {
                attributes.truncate(file, 0, killSuidGid);
                done = true;
            } finally {
                if (!done) {
                    volume.release(file);
                }
            }
        }
        return file;
    }

    void tmpfile(Request rq, long parent, int mode, int flags) {
        volume.serve(rq, () -> {
            InodeAttr attr = volume.service.createOrphan(parent, mode, EntryHandlers.creator(rq), WallClock.nowNs());
            volume.orphan(attr.ino());
            replyCreated(rq, volume.files.acquireNew(attr), attr, flags);
        });
    }

    private void replyCreated(Request rq, FileState file, InodeAttr attr, int flags) throws FsException {
        long handle;
        try {
            handle = handle(file, flags);
        } catch (FsException e) {
            volume.release(file);
            throw e;
        }
        volume.references.add(attr.ino());
        if (!rq.replyCreate(attr, volume.options.entryTtlNs(), volume.options.attrTtlNs(), handle, openFlags(flags))) {
            close(handle);
            volume.forget(attr.ino(), 1);
        }
    }

    void flush(Request rq, long handle) {
        volume.serve(rq, () -> {
            OpenFile open = volume.handles.get(handle);
            FileState file = open.file;
            if (file != null && open.writable) {
                volume.commits.commit(file, false);
                reportFailures(open, file);
            }
            rq.replyOk();
        });
    }

    void fsync(Request rq, long handle) {
        volume.serveFlushing(rq, () -> {
            OpenFile open = volume.handles.get(handle);
            FileState file = open.file;
            volume.counters.fsyncs.increment();
            if (file != null) {
                volume.commits.commit(file, true);
            }
            volume.service.sync();
            if (file != null) {
                reportFailures(open, file);
            }
            rq.replyOk();
        });
    }

    /** What could not be saved in the background is reported once by every handle that was open then. */
    private static void reportFailures(OpenFile open, FileState file) throws FsException {
        int failures = file.failures;
        if (open.failuresSeen != failures) {
            open.failuresSeen = failures;
            throw new FsException(Errno.EIO, "an earlier commit failed");
        }
    }

    void release(Request rq, long handle) {
        close(handle);
        rq.replyOk();
    }

    private void close(long handle) {
        @Nullable OpenFile open = volume.handles.remove(handle);
        if (open != null && open.file != null) {
            if (open.writable) {
                open.file.countWriters(-1);
            }
            volume.release(open.file);
        }
    }
}
