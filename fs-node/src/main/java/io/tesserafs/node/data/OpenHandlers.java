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
    private static final int O_RDWR = 2;
    private static final int O_ACCMODE = 3;
    private static final int O_DIRECT = 0x4000;
    private static final int O_EXCL = 0x80;
    private static final int O_TRUNC = 0x200;
    private static final int O_APPEND = 0x400;
    private static final int O_NOATIME = 0x40000;

    private final NodeVolume volume;
    private final AttrHandlers attributes;

    OpenHandlers(NodeVolume volume, AttrHandlers attributes) {
        this.volume = volume;
        this.attributes = attributes;
    }

    void open(Request rq, long ino, int flags, boolean killSuidGid) {
        if (volume.access.mayWait()) {
            FileState file = volume.files.acquireKnown(ino);
            if (file != null) {
                volume.serveHere(rq, () -> open(rq, file, flags, killSuidGid));
                return;
            }
        }
        volume.serve(rq, () -> open(rq, volume.files.acquire(ino), flags, killSuidGid));
    }

    /** Takes over the caller's reference to the file. */
    private void open(Request rq, FileState file, int flags, boolean killSuidGid) throws FsException {
        NodeVolume.Work answer = () -> {
            int openFlags = openFlags(flags);
            long handle = handle(file, flags);
            if (!rq.replyOpen(handle, openFlags | keepCache(file, flags))) {
                close(handle);
            }
        };
        if ((flags & O_TRUNC) == 0) {
            orRelease(file, answer).run();
        } else {
            attributes.resized(rq, file, 0, killSuidGid, orRelease(file, answer));
        }
    }

    /** Releases the file unless {@code work}, which then has taken it over, ends well. */
    private NodeVolume.Work orRelease(FileState file, NodeVolume.Work work) {
        return () -> {
            boolean done = false;
            try {
                work.run();
                done = true;
            } finally {
                if (!done) {
                    volume.release(file);
                }
            }
        };
    }

    /** Takes over the caller's reference to the file. */
    private long handle(FileState file, int flags) throws FsException {
        boolean writable = (flags & O_ACCMODE) != 0;
        boolean mapsWritable = (flags & O_ACCMODE) == O_RDWR;
        boolean noAtime = volume.options.noAtime() || (flags & O_NOATIME) != 0;
        long handle = volume.handles.add(new OpenFile(file.ino, file, writable, mapsWritable, noAtime));
        if (writable) {
            file.countWriteHandle(1, mapsWritable);
        }
        return handle;
    }

    /**
     * What the kernel has cached is good only if the token was held all the time: a recall would have dropped it, giving up would not. And for
     * writing, every cached page must be under EXCLUSIVE, since a mapping may dirty it unseen: the kernel drops what it has otherwise.
     */
    private static int keepCache(FileState file, int flags) {
        Mode mode = (flags & O_ACCMODE) == O_RDWR ? Mode.EXCLUSIVE : Mode.SHARED;
        int ticket = file.tokens.tryEnter(0, FileTokens.TO_END, mode);
        if (ticket == FileTokens.REFUSED) {
            return 0;
        }
        file.tokens.exit(ticket);
        return OpenFlags.KEEP_CACHE;
    }

    /**
     * A buffered write changes the page cache before anybody is asked: where other nodes use the volume too, its neighbours here would see it before the
     * token is there, and perhaps not any more after. So what is open for writing bypasses the page cache, except through mappings.
     */
    private int openFlags(int flags) {
        boolean direct = (flags & O_ACCMODE) != 0
                && !volume.names.company().isAlone()
                && ((flags & O_APPEND) != 0 || (flags & O_ACCMODE) != O_RDWR || volume.mapsDirectHandles());
        return (direct ? OpenFlags.DIRECT_IO : 0)
                | (direct && (flags & O_DIRECT) == 0 ? 0 : OpenFlags.PARALLEL_DIRECT_WRITES);
    }

    void create(Request rq, long parent, byte[] name, int mode, int flags, boolean killSuidGid) {
        volume.names.serve(rq, parent, Mode.EXCLUSIVE, alone -> {
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
                file = volume.files.acquireNew(attr, alone);
            } catch (FsException e) {
                if (e.errno() != Errno.EEXIST || (flags & O_EXCL) != 0) {
                    throw e;
                }
                openExisting(rq, parent, name, flags, killSuidGid, alone);
                return;
            }
            replyCreated(rq, file, attr, flags, alone);
        });
    }

    /** Another host or process made the file since the kernel looked. */
    private void openExisting(Request rq, long parent, byte[] name, int flags, boolean killSuidGid, boolean alone)
            throws FsException {
        InodeAttr found = volume.service.lookup(parent, name);
        if (found == null) {
            throw new FsException(Errno.ENOENT, "removed meanwhile");
        }
        if (!found.isRegular()) {
            throw new FsException(found.isDirectory() ? Errno.EISDIR : Errno.ESTALE, "not a regular file");
        }
        FileState file = volume.files.acquire(found.ino());
        NodeVolume.Work answer =
                () -> replyCreated(rq, file, file.overlay(volume.service.getattr(file.ino)), flags, alone);
        if ((flags & O_TRUNC) == 0) {
            answer.run();
        } else {
            attributes.resized(rq, file, 0, killSuidGid, answer);
        }
    }

    void tmpfile(Request rq, long parent, int mode, int flags) {
        volume.serve(rq, () -> {
            InodeAttr attr = volume.service.createOrphan(parent, mode, EntryHandlers.creator(rq), WallClock.nowNs());
            volume.orphan(attr.ino());
            replyCreated(rq, volume.files.acquireNew(attr, false), attr, flags, false);
        });
    }

    /** Takes over the caller's reference to the file. */
    private void replyCreated(Request rq, FileState file, InodeAttr attr, int flags, boolean alone) throws FsException {
        long handle;
        int openFlags = openFlags(flags);
        try {
            handle = handle(file, flags);
        } catch (FsException e) {
            volume.release(file);
            throw e;
        }
        volume.references.add(attr.ino(), false);
        int ticket = alone ? FileTokens.REFUSED : file.attrTokens.tryEnter(0, FileTokens.TO_END, Mode.SHARED);
        boolean replied;
        try {
            InodeAttr known = ticket == FileTokens.REFUSED ? null : volume.service.known(file.ino);
            InodeAttr shown = known == null ? attr : file.overlay(known);
            long attrTtl = alone || known != null ? volume.options.attrTtlNs() : 0;
            replied = rq.replyCreate(shown, volume.entryTtlNs(), attrTtl, handle, openFlags);
        } finally {
            FileAccess.exitIfHeld(file.attrTokens, ticket);
        }
        if (!replied) {
            close(handle);
            volume.forget(attr.ino(), 1);
        }
    }

    /** Comes with every close, since locks may end with it: nothing is to be done for readers, and they are answered here. */
    void flush(Request rq, long handle) {
        OpenFile known = volume.handles.find(handle);
        if (known != null && !known.writable) {
            rq.replyOk();
            return;
        }
        FileState written = known == null ? null : known.file;
        if (known != null && written != null && volume.access.mayWait() && isLeftForLater(written)) {
            volume.serveHere(rq, () -> {
                known.failIfUnsaved();
                rq.replyOk();
            });
            return;
        }
        volume.serve(rq, () -> {
            OpenFile open = volume.handles.get(handle);
            FileState file = open.file;
            if (file != null && open.writable) {
                Patience.untilAvailable(() -> volume.commit(file, false, true));
                open.failIfUnsaved();
            }
            rq.replyOk();
        });
    }

    private boolean isLeftForLater(FileState file) {
        return !file.isDirty() || volume.lateCommits.add(file);
    }

    void fsync(Request rq, long handle) {
        volume.serveFlushing(rq, () -> {
            OpenFile open = volume.handles.get(handle);
            volume.counters.fsyncs.increment();
            makeDurable(open);
            rq.replyOk();
        });
    }

    /** What fsync is, and writing with O_SYNC beside the write. May wait. */
    void makeDurable(OpenFile open) throws FsException {
        FileState file = open.file;
        if (file != null) {
            volume.save(file);
        }
        volume.service.sync();
        open.failOnceIfUnsaved();
    }

    void release(Request rq, long handle) {
        close(handle);
        rq.replyOk();
    }

    private void close(long handle) {
        @Nullable OpenFile open = volume.handles.remove(handle);
        if (open != null && open.file != null) {
            if (open.writable) {
                open.file.countWriteHandle(-1, open.mapsWritable);
            }
            volume.release(open.file);
        }
    }
}
