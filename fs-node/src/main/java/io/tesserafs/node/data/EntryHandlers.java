package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.Unlinked;
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
    /** include/uapi/linux/fs.h. */
    private static final int RENAME_EXCHANGE = 2;

    private final NodeVolume volume;

    EntryHandlers(NodeVolume volume) {
        this.volume = volume;
    }

    void lookup(Request rq, long parent, byte[] name) {
        if (volume.access.mayWait() && volume.names.serveKnown(parent, () -> lookupKnown(rq, parent, name))) {
            return;
        }
        volume.names.serve(rq, parent, Mode.SHARED, alone -> {
            long stamp = volume.files.removals();
            InodeAttr attr = volume.service.lookup(parent, name);
            if (attr == null) {
                rq.replyNoEntry(volume.negativeTtlNs());
            } else {
                volume.replyEntry(rq, attr, stamp, alone);
            }
        });
    }

    private boolean lookupKnown(Request rq, long parent, byte[] name) {
        long ino = volume.service.knownName(parent, name);
        if (ino == 0) {
            rq.replyNoEntry(volume.negativeTtlNs());
            return true;
        }
        return ino != VolumeService.UNKNOWN && volume.replyKnownEntry(rq, ino);
    }

    void create(Request rq, long parent, byte[] name, int mode, int rdev, byte @Nullable [] target) {
        volume.names.serve(rq, parent, Mode.EXCLUSIVE, alone -> {
            long stamp = volume.files.removals();
            InodeAttr made = volume.service.create(parent, name, mode, rdev, target, creator(rq), WallClock.nowNs());
            volume.replyEntry(rq, made, stamp, alone);
        });
    }

    static Creator creator(Request rq) {
        return new Creator(rq.uid(), rq.gid());
    }

    void unlink(Request rq, long parent, byte[] name) {
        volume.names.serve(rq, parent, Mode.EXCLUSIVE, alone -> {
            Unlinked gone = volume.service.unlink(parent, name, WallClock.nowNs());
            volume.unlinked(gone);
            showEverywhere(rq, List.of(Resource.attributes(gone.ino())), alone, rq::replyOk);
        });
    }

    void rmdir(Request rq, long parent, byte[] name) {
        volume.names.serve(rq, parent, Mode.EXCLUSIVE, alone -> {
            Unlinked gone = volume.service.rmdir(parent, name, WallClock.nowNs());
            volume.unlinked(gone);
            showEverywhere(rq, List.of(Resource.entries(gone.ino())), alone, rq::replyOk);
        });
    }

    void rename(Request rq, long parent, byte[] name, long newParent, byte[] newName, int flags) {
        if (areClosedFilesSaved()) {
            move(rq, parent, name, newParent, newName, flags);
            return;
        }
        volume.serveElsewhere(rq, () -> {
            saveClosed(parent, name);
            if ((flags & RENAME_EXCHANGE) != 0) {
                saveClosed(newParent, newName);
            }
            move(rq, parent, name, newParent, newName, flags);
        });
    }

    private boolean areClosedFilesSaved() {
        return volume.lateCommits.isIdle() && !volume.files.hasUntold();
    }

    private void saveClosed(long parent, byte[] name) throws FsException {
        InodeAttr closed = volume.service.lookup(parent, name);
        if (closed != null && closed.isRegular()) {
            saveClosed(closed.ino());
        }
    }

    /**
     * Who writes a file, closes it and gives it the name of another, without fsync, relies on either being there as a whole. So its bytes go first; and if they are
     * lost, that is said here, once, instead of putting what is left in the place of the other.
     */
    private void saveClosed(long ino) throws FsException {
        int errno;
        try {
            volume.lateCommits.commitNow(ino);
        } finally {
            errno = volume.files.tellOfClosed(ino); // also if that failed: it is said now
        }
        if (errno != 0) {
            throw new FsException(errno, "what was written to the file before it was closed is lost");
        }
    }

    private void move(Request rq, long parent, byte[] name, long newParent, byte[] newName, int flags) {
        volume.names.serve(rq, parent, newParent, Mode.EXCLUSIVE, alone -> {
            List<Resource> changed = alone ? List.of() : moved(parent, name, newParent, newName);
            volume.unlinked(volume.service.rename(parent, name, newParent, newName, flags, WallClock.nowNs()));
            showEverywhere(rq, changed, alone, rq::replyOk);
        });
    }

    /** What guards the attributes of the inodes under two names: renaming changes their times, or their link count. */
    private List<Resource> moved(long parent, byte[] name, long newParent, byte[] newName) throws FsException {
        List<Resource> guards = new ArrayList<>(2);
        InodeAttr first = volume.service.lookup(parent, name);
        InodeAttr second = volume.service.lookup(newParent, newName);
        for (InodeAttr each :
                first == null ? List.<InodeAttr>of() : second == null ? List.of(first) : List.of(first, second)) {
            guards.add(each.isDirectory() ? Resource.entries(each.ino()) : Resource.attributes(each.ino()));
        }
        return guards;
    }

    void link(Request rq, long ino, long newParent, byte[] newName) {
        if (areClosedFilesSaved()) {
            addName(rq, ino, newParent, newName);
            return;
        }
        volume.serveElsewhere(rq, () -> {
            saveClosed(ino);
            addName(rq, ino, newParent, newName);
        });
    }

    private void addName(Request rq, long ino, long newParent, byte[] newName) {
        volume.names.serve(rq, newParent, Mode.EXCLUSIVE, alone -> {
            long stamp = volume.files.removals();
            InodeAttr attr = volume.service.link(ino, newParent, newName, WallClock.nowNs());
            volume.linkedAgain(ino);
            showEverywhere(
                    rq, List.of(Resource.attributes(ino)), alone, () -> volume.replyEntry(rq, attr, stamp, alone));
        });
    }

    void opendir(Request rq, long ino) {
        volume.serveHere(rq, () -> {
            long handle = volume.handles.add(new OpenFile(ino, null, false, false, true));
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
        volume.names.serve(rq, ino, Mode.SHARED, alone -> {
            if (handle != FileSystem.NO_HANDLE && volume.handles.get(handle).ino != ino) {
                throw new FsException(Errno.EBADF, "handle of another directory");
            }
            Request.Directory out = rq.directory(size, plus);
            List<Long> referenced = new ArrayList<>();
            if (addDots(out, ino, cookie)) {
                addEntries(out, ino, Math.max(cookie, DOT_DOT_COOKIE), size, plus, referenced, alone);
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

    /**
     * Names come without inodes where other nodes may change them: the kernel believes what is said of an inode here even if it was told to forget it while the
     * answer was on its way, and dates the names by the moment it gets to read them. It asks for each that is wanted, and the answer is known here by then.
     */
    private void addEntries(
            Request.Directory out, long ino, long cookie, int size, boolean plus, List<Long> referenced, boolean alone)
            throws FsException {
        int most = size / (plus ? MIN_PLUS_BYTES : MIN_ENTRY_BYTES) + 1;
        List<Entry> entries = new ArrayList<>(most);
        long stamp = volume.files.removals();
        VolumeService.EntrySink sink = (name, next, attr) -> {
            entries.add(new Entry(name, next, attr));
            return entries.size() < most;
        };
        if (plus) {
            volume.service.readdirPlus(ino, cookie, sink);
        } else {
            volume.service.readdir(ino, cookie, sink);
        }
        for (Entry entry : entries) {
            if (!plus || !alone) {
                if (!out.add(entry.name, entry.attr.ino(), entry.attr.mode() >> 12 & 0xF, entry.nextCookie)) {
                    return;
                }
                continue;
            }
            volume.references.add(entry.attr.ino(), entry.attr.isDirectory());
            if (!out.add(
                    entry.name,
                    merged(entry.attr, stamp),
                    entry.nextCookie,
                    volume.entryTtlNs(),
                    volume.options.attrTtlNs())) {
                volume.forget(entry.attr.ino(), 1);
                return;
            }
            referenced.add(entry.attr.ino());
        }
    }

    /**
     * Before a change of inodes whose attributes nobody held is answered, other nodes forget what they cache of them.
     *
     * @param guards of their attributes; who waits for one holds no other
     */
    private void showEverywhere(Request rq, List<Resource> guards, boolean alone, NodeVolume.Work reply)
            throws FsException {
        int from = 0;
        while (!alone && from < guards.size() && isOursNow(guards.get(from))) {
            from++;
        }
        if (alone || from == guards.size()) {
            reply.run();
            return;
        }
        List<Resource> rest = guards.subList(from, guards.size());
        volume.serveElsewhere(rq, () -> {
            for (Resource guard : rest) {
                FileTokens attributes = volume.tokens.open(guard);
                try {
                    attributes.exit(FileAccess.enter(attributes, 0, FileTokens.TO_END, Mode.EXCLUSIVE));
                } finally {
                    attributes.close();
                }
            }
            reply.run();
        });
    }

    private boolean isOursNow(Resource guard) {
        FileTokens attributes = volume.tokens.open(guard);
        try {
            int ticket = attributes.enterNow(0, FileTokens.TO_END, Mode.EXCLUSIVE);
            FileAccess.exitIfHeld(attributes, ticket);
            return ticket != FileTokens.REFUSED;
        } finally {
            attributes.close();
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
