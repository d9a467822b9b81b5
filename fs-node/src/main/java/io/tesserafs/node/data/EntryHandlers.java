package io.tesserafs.node.data;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService.Creator;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Names: lookup, everything that makes, moves or removes one, and directory listings. */
final class EntryHandlers {
    private static final byte[] DOT = {'.'};
    private static final byte[] DOT_DOT = {'.', '.'};
    private static final long DOT_COOKIE = 1;
    private static final long DOT_DOT_COOKIE = 2;
    /** Smallest entries of READDIR and READDIRPLUS answers, for guessing how many fit. */
    private static final int MIN_ENTRY_BYTES = 32;

    private static final int MIN_PLUS_BYTES = 160;

    private final NodeVolume volume;

    EntryHandlers(NodeVolume volume) {
        this.volume = volume;
    }

    void lookup(Request rq, long parent, byte[] name) {
        try {
            long stamp = volume.files.removals();
            InodeAttr attr = volume.service.lookup(parent, name);
            if (attr == null) {
                rq.replyNoEntry(volume.options.negativeTtlNs());
            } else {
                volume.replyEntry(rq, volume.current(attr, stamp));
            }
        } catch (FsException e) {
            rq.replyError(e.errno());
        }
    }

    void create(Request rq, long parent, byte[] name, int mode, int rdev, byte @Nullable [] target) {
        volume.serve(
                rq,
                () -> volume.replyEntry(
                        rq, volume.service.create(parent, name, mode, rdev, target, creator(rq), WallClock.nowNs())));
    }

    static Creator creator(Request rq) {
        return new Creator(rq.uid(), rq.gid());
    }

    void unlink(Request rq, long parent, byte[] name) {
        volume.serve(rq, () -> {
            volume.unlinked(volume.service.unlink(parent, name, WallClock.nowNs()));
            rq.replyOk();
        });
    }

    void rmdir(Request rq, long parent, byte[] name) {
        volume.serve(rq, () -> {
            volume.unlinked(volume.service.rmdir(parent, name, WallClock.nowNs()));
            rq.replyOk();
        });
    }

    void rename(Request rq, long parent, byte[] name, long newParent, byte[] newName, int flags) {
        volume.serve(rq, () -> {
            volume.unlinked(volume.service.rename(parent, name, newParent, newName, flags, WallClock.nowNs()));
            rq.replyOk();
        });
    }

    void link(Request rq, long ino, long newParent, byte[] newName) {
        volume.serve(rq, () -> {
            long stamp = volume.files.removals();
            InodeAttr attr = volume.service.link(ino, newParent, newName, WallClock.nowNs());
            volume.linkedAgain(ino);
            volume.replyEntry(rq, volume.current(attr, stamp));
        });
    }

    void opendir(Request rq, long ino) {
        volume.serve(rq, () -> {
            long handle = volume.handles.add(new OpenFile(ino, null, false, true));
            if (!rq.replyOpen(handle, 0)) {
                volume.handles.remove(handle);
            }
        });
    }

    void releasedir(Request rq, long handle) {
        volume.handles.remove(handle);
        rq.replyOk();
    }

    void fsyncdir(Request rq) {
        volume.serveFlushing(rq, () -> {
            volume.service.sync();
            rq.replyOk();
        });
    }

    /** An entry taken out under the owner's lock; attributes of open files are merged after it. */
    private record Entry(byte[] name, long nextCookie, InodeAttr attr) {}

    void readdir(Request rq, long ino, long handle, long cookie, int size, boolean plus) {
        volume.serve(rq, () -> {
            if (handle != FileSystem.NO_HANDLE && volume.handles.get(handle).ino != ino) {
                throw new FsException(Errno.EBADF, "handle of another directory");
            }
            Request.Directory out = rq.directory(size, plus);
            List<Long> referenced = new ArrayList<>();
            if (addDots(out, ino, cookie)) {
                addEntries(out, ino, Math.max(cookie, DOT_DOT_COOKIE), size, plus, referenced);
            }
            if (!out.reply()) {
                referenced.forEach(gone -> volume.forget(gone, 1));
            }
        });
    }

    private boolean addDots(Request.Directory out, long ino, long cookie) throws FsException {
        int type = InodeAttr.S_IFDIR >> 12;
        if (cookie < DOT_COOKIE && !out.add(DOT, ino, type, DOT_COOKIE)) {
            return false;
        }
        return cookie >= DOT_DOT_COOKIE || out.add(DOT_DOT, volume.service.parent(ino), type, DOT_DOT_COOKIE);
    }

    private void addEntries(Request.Directory out, long ino, long cookie, int size, boolean plus, List<Long> referenced)
            throws FsException {
        int most = size / (plus ? MIN_PLUS_BYTES : MIN_ENTRY_BYTES) + 1;
        List<Entry> entries = new ArrayList<>(most);
        long stamp = volume.files.removals();
        volume.service.readdir(ino, cookie, (name, next, attr) -> {
            entries.add(new Entry(name, next, attr));
            return entries.size() < most;
        });
        for (Entry entry : entries) {
            if (!plus) {
                if (!out.add(entry.name, entry.attr.ino(), entry.attr.mode() >> 12 & 0xF, entry.nextCookie)) {
                    return;
                }
                continue;
            }
            InodeAttr attr = merged(entry.attr, stamp);
            volume.references.add(attr.ino());
            if (!out.add(entry.name, attr, entry.nextCookie, volume.options.entryTtlNs(), volume.options.attrTtlNs())) {
                volume.forget(attr.ino(), 1);
                return;
            }
            referenced.add(attr.ino());
        }
    }

    /** An inode that vanished since it was listed is shown as it was; the kernel asks again when it is used. */
    private InodeAttr merged(InodeAttr attr, long stamp) {
        try {
            return volume.current(attr, stamp);
        } catch (FsException e) {
            return attr;
        }
    }
}
