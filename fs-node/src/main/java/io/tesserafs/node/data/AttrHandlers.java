package io.tesserafs.node.data;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
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
        try {
            long stamp = volume.files.removals();
            rq.replyAttr(volume.current(volume.service.getattr(ino), stamp), volume.options.attrTtlNs());
        } catch (FsException e) {
            rq.replyError(e.errno());
        }
    }

    void setattr(Request rq, long ino, SetAttr change) {
        volume.serveFlushing(rq, () -> {
            if (change.has(SetAttr.SIZE)) {
                FileState file = volume.files.acquire(ino);
                try {
                    truncate(file, change.size(), change.has(SetAttr.KILL_SUIDGID));
                } finally {
                    volume.release(file);
                }
            }
            if (!change.has(SetAttr.SIZE) || (change.valid() & CHANGES_BESIDE_SIZE) != 0) {
                change(ino, change);
            }
            long stamp = volume.files.removals();
            rq.replyAttr(volume.current(volume.service.getattr(ino), stamp), volume.options.attrTtlNs());
        });
    }

    private void change(long ino, SetAttr change) throws FsException {
        FileState file = volume.files.find(ino);
        if (file == null || !volume.files.retain(file)) {
            volume.service.setattr(ino, change, WallClock.nowNs());
            return;
        }
        file.commitLock.lock();
        try {
            volume.commits.commitLocked(file, false); // times are set on top of what was written before
            InodeAttr result = volume.service.setattr(ino, change, WallClock.nowNs());
            if (change.has(SetAttr.ATIME)) {
                file.atimeNs = result.atimeNs();
            }
            if (change.has(SetAttr.MTIME)) {
                file.mtimeNs = result.mtimeNs();
            }
            file.ctimeNs = result.ctimeNs();
        } finally {
            file.commitLock.unlock();
            volume.release(file);
        }
    }

    /** Sets the size, at the owner first. */
    void truncate(FileState file, long size, boolean killSuidGid) throws FsException {
        if (size > ExtentIo.MAX_FILE_BYTES) {
            throw new FsException(Errno.EFBIG, "beyond the largest file");
        }
        long now = WallClock.nowNs();
        file.commitLock.lock();
        try {
            long stamp = file.lock.writeLock();
            try {
                volume.service.truncate(file.ino, size, killSuidGid, now);
                if (size < file.size) {
                    ExtentIo.cut(file, size);
                }
                file.size = size;
                file.mtimeNs = now;
                file.ctimeNs = now;
            } finally {
                file.lock.unlockWrite(stamp);
            }
        } finally {
            file.commitLock.unlock();
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
        volume.serve(rq, () -> {
            refuseSystem(name);
            volume.service.setxattr(ino, name, value, flags, WallClock.nowNs());
            touchCtime(volume.files.find(ino));
            rq.replyOk();
        });
    }

    void removexattr(Request rq, long ino, byte[] name) {
        volume.serve(rq, () -> {
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
