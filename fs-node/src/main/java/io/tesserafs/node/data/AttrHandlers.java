package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.FileTokens.LockedPages;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.UnavailableException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Attributes, sizes set by truncation, and extended attributes. */
final class AttrHandlers {
    private static final byte[] SYSTEM = "system.".getBytes(StandardCharsets.US_ASCII);
    private static final int CHANGES_BESIDE_SIZE =
            SetAttr.MODE | SetAttr.UID | SetAttr.GID | SetAttr.ATIME | SetAttr.MTIME | SetAttr.CTIME;

    private final NodeVolume volume;

    AttrHandlers(NodeVolume volume) {
        this.volume = volume;
    }

    void getattr(Request rq, long ino) {
        if (volume.access.mayWait() && getattrKnown(rq, ino)) {
            return;
        }
        under(rq, ino, Mode.SHARED, () -> replyAttr(rq, ino));
    }

    private boolean getattrKnown(Request rq, long ino) {
        FileTokens meta = volume.names.attributesOf(ino);
        try {
            return volume.underKnown(meta, ino, attr -> {
                FileState file = volume.files.find(ino);
                boolean shared = !volume.names.company().isAlone();
                if (file != null && shared && attr.size() > file.believedSize) {
                    return false;
                }
                rq.replyAttr(attr, volume.options.attrTtlNs());
                return true;
            });
        } finally {
            meta.close();
        }
    }

    /** Under the token of the inode's attributes. */
    private void replyAttr(Request rq, long ino) throws FsException {
        FileState file = volume.files.find(ino);
        boolean shared = !volume.names.company().isAlone();
        if (file != null && shared) {
            volume.access.prepareAttr(file, true);
        }
        long stamp = volume.files.removals();
        InodeAttr attr = volume.current(volume.service.getattr(ino), stamp);
        if (file != null && shared) {
            volume.access.tellNewSize(file, attr.size());
        }
        rq.replyAttr(attr, volume.options.attrTtlNs());
    }

    /** Serves a request under the token of an inode's attributes; waits for it elsewhere. */
    private void under(Request rq, long ino, Mode mode, NodeVolume.Work work) {
        boolean mayWait = volume.access.mayWait();
        if (!mayWait && runAlone(rq, work)) {
            return;
        }
        FileTokens meta = volume.names.attributesOf(ino);
        int ticket = mayWait ? FileTokens.REFUSED : meta.enterNow(0, FileTokens.TO_END, mode);
        if (ticket != FileTokens.REFUSED) {
            try {
                volume.serveHere(rq, work);
            } finally {
                meta.exit(ticket);
                meta.close();
            }
            return;
        }
        volume.serveElsewhere(rq, () -> {
            try {
                int late = FileAccess.enter(meta, 0, FileTokens.TO_END, mode);
                try {
                    work.run();
                } finally {
                    meta.exit(late);
                }
            } finally {
                meta.close();
            }
        });
    }

    private boolean runAlone(Request rq, NodeVolume.Work work) {
        Company company = volume.names.company();
        long stamp = company.enterAlone();
        if (stamp == Company.REFUSED) {
            return false;
        }
        try {
            volume.serveHere(rq, work);
            return true;
        } finally {
            company.exitAlone(stamp);
        }
    }

    void setattr(Request rq, long ino, SetAttr change) {
        if (!change.has(SetAttr.SIZE)) {
            under(rq, ino, Mode.EXCLUSIVE, () -> {
                change(ino, change);
                replyAttr(rq, ino);
            });
            return;
        }
        volume.serve(rq, () -> {
            FileState file = volume.files.acquire(ino);
            resized(rq, file, change.size(), change.has(SetAttr.KILL_SUIDGID), () -> {
                try {
                    if ((change.valid() & CHANGES_BESIDE_SIZE) != 0) {
                        change(ino, change);
                    }
                    replyAttr(rq, ino);
                } finally {
                    volume.release(file);
                }
            });
        });
    }

    /**
     * Sets a file's size and then does the rest, under the file's attributes and what is cut; here if the tokens are at hand, else elsewhere.
     *
     * @param rest takes over the caller's reference to the file; if it is not reached, that is released here
     */
    void resized(Request rq, FileState file, long size, boolean killSuidGid, NodeVolume.Work rest) {
        boolean[] handedOver = new boolean[1];
        NodeVolume.Work work = () -> {
            truncate(file, size, killSuidGid);
            handedOver[0] = true;
            rest.run();
        };
        if (!volume.access.mayWait() && runNow(rq, file, size, work)) {
            if (!handedOver[0]) {
                volume.release(file);
            }
            return;
        }
        volume.serveElsewhere(rq, () -> {
            @Nullable FsException[] restFailed = new FsException[1];
            try {
                long from = Math.min(size, ExtentIo.MAX_FILE_BYTES);
                volume.access.withAttributes(
                        file,
                        Mode.EXCLUSIVE,
                        () -> volume.access.withTiles(file, from, FileTokens.TO_END, LockedPages.NONE, () -> {
                            try {
                                work.run();
                            } catch (FsException e) {
                                if (!handedOver[0]) {
                                    throw e;
                                }
                                restFailed[0] = e; // only the truncation may be tried again
                            }
                            return true;
                        }));
            } finally {
                if (!handedOver[0]) {
                    volume.release(file);
                }
            }
            FsException failure = restFailed[0];
            if (failure != null) {
                throw failure;
            }
        });
    }

    private boolean runNow(Request rq, FileState file, long size, NodeVolume.Work work) {
        int attr = file.attrTokens.enterNow(0, FileTokens.TO_END, Mode.EXCLUSIVE);
        if (attr == FileTokens.REFUSED) {
            return false;
        }
        int data = FileTokens.REFUSED;
        try {
            long from = Math.min(size, ExtentIo.MAX_FILE_BYTES) & -TileMap.TILE_BYTES;
            data = file.tokens.enterNow(from, FileTokens.TO_END, Mode.EXCLUSIVE);
            if (data == FileTokens.REFUSED) {
                return false;
            }
            volume.serveHere(rq, () -> {
                volume.access.prepareAttr(file, true);
                volume.access.prepare(file, from, FileTokens.TO_END);
                work.run();
            });
            return true;
        } finally {
            FileAccess.exitIfHeld(file.tokens, data);
            file.attrTokens.exit(attr);
        }
    }

    private void change(long ino, SetAttr change) throws FsException {
        FileState file = volume.files.find(ino);
        if (file == null || !volume.files.retain(file)) {
            volume.service.setattr(ino, change, WallClock.nowNs());
            return;
        }
        boolean locked = false;
        try {
            lockSaved(file); // times are set on top of what was written before
            locked = true;
            InodeAttr result = volume.service.setattr(ino, change, WallClock.nowNs());
            if (change.has(SetAttr.ATIME)) {
                file.atimeNs = result.atimeNs();
            }
            if (change.has(SetAttr.MTIME)) {
                file.mtimeNs = result.mtimeNs();
            }
            file.ctimeNs = result.ctimeNs();
        } finally {
            if (locked) {
                file.commitLock.unlock();
            }
            volume.release(file);
        }
    }

    /**
     * Takes the commit lock of a file, of which there is nothing then that the owner does not know, but for new places of tiles that it has at their old
     * ones. Waits for an owner that cannot take it yet, though not for long and not for the next session: that has not the token under which the caller goes on.
     */
    private void lockSaved(FileState file) throws FsException {
        int sessions = file.sessionsLost;
        Patience patience = new Patience(Patience.RESTART_NS);
        while (true) {
            boolean saved = false;
            file.commitLock.lock();
            try {
                if (file.sessionsLost != sessions) {
                    throw new FsException(Errno.EIO, "the session ended");
                }
                volume.commits.commitLocked(file, false);
                saved = true;
                return;
            } catch (UnavailableException e) {
                patience.check(e);
            } finally {
                if (!saved) {
                    file.commitLock.unlock(); // recalls need it
                }
            }
            patience.pause();
        }
    }

    /** Sets the size. The token of the attributes, and of the data from there on, is held. */
    private void truncate(FileState file, long size, boolean killSuidGid) throws FsException {
        if (size > ExtentIo.MAX_FILE_BYTES) {
            throw new FsException(Errno.EFBIG, "beyond the largest file");
        }
        long now = WallClock.nowNs();
        lockSaved(file); // what the owner refuses to cut must not be lost here
        try {
            boolean unflushed = cutHere(file, size);
            boolean done = false;
            try {
                volume.service.truncate(file.ino, size, killSuidGid, now);
                done = true;
            } finally {
                cutThere(file, size, now, done, unflushed);
            }
        } finally {
            file.commitLock.unlock();
        }
    }

    /**
     * Before the owner frees the space, so that nothing can be written to it any more.
     *
     * @return whether bytes were cut off that are not flushed
     */
    private static boolean cutHere(FileState file, long size) {
        long stamp = file.lock.writeLock();
        try {
            boolean unflushed = false;
            if (size < file.size) {
                for (Tile tile : file.tiles.all()) {
                    boolean cut = tile.index + 1 << TileMap.TILE_SHIFT > size;
                    unflushed |= cut && (tile.isDirty() || tile.committedLoosely);
                }
                ExtentIo.cut(file, size);
            }
            return unflushed;
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    private static void cutThere(FileState file, long size, long now, boolean done, boolean unflushed) {
        long stamp = file.lock.writeLock();
        try {
            if (done) {
                ExtentIo.cut(file, size); // again: somebody on this node may have written meanwhile
                file.toldSize = size;
                file.kernelMayBelieve(size);
                file.kernelBelieves(size);
                file.mtimeNs = now;
                file.ctimeNs = now;
                file.mtimeChanged = false;
                file.sizeChanged = false;
            } else {
                file.attrStale = true;
                file.attrWhole = false;
                file.tiles.markStale(0, TileMap.TILES_END);
                file.settleCalm();
                if (unflushed) {
                    file.failed(Errno.EIO); // the owner still has it all, but nobody knows here any more what to flush
                }
            }
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    void getxattr(Request rq, long ino, byte[] name, int size) {
        volume.serve(rq, () -> {
            refuseSystem(name);
            rq.replyXattr(volume.service.getxattr(ino, name), size);
        });
    }

    void listxattr(Request rq, long ino, int size) {
        volume.serve(rq, () -> rq.replyXattr(volume.service.listxattr(ino), size));
    }

    void setxattr(Request rq, long ino, byte[] name, byte[] value, int flags) {
        under(rq, ino, Mode.EXCLUSIVE, () -> {
            refuseSystem(name);
            volume.service.setxattr(ino, name, value, flags, WallClock.nowNs());
            touchCtime(volume.files.find(ino));
            rq.replyOk();
        });
    }

    void removexattr(Request rq, long ino, byte[] name) {
        under(rq, ino, Mode.EXCLUSIVE, () -> {
            refuseSystem(name);
            volume.service.removexattr(ino, name, WallClock.nowNs());
            touchCtime(volume.files.find(ino));
            rq.replyOk();
        });
    }

    private static void touchCtime(@Nullable FileState file) {
        if (file != null) {
            file.ctimeNs = Math.max(file.ctimeNs, WallClock.nowNs());
        }
    }

    /** POSIX ACLs would have to be enforced, and the kernel enforces mode bits here. */
    private static void refuseSystem(byte[] name) throws FsException {
        if (name.length >= SYSTEM.length && Arrays.equals(name, 0, SYSTEM.length, SYSTEM, 0, SYSTEM.length)) {
            throw new FsException(Errno.EOPNOTSUPP, "no system attributes");
        }
    }
}
