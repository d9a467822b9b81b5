package io.tesserafs.node.namespace;

import static io.tesserafs.node.namespace.InodeAttr.S_IFDIR;
import static io.tesserafs.node.namespace.InodeAttr.S_IFLNK;
import static io.tesserafs.node.namespace.InodeAttr.S_IFMT;
import static io.tesserafs.node.namespace.InodeAttr.S_IFREG;
import static io.tesserafs.node.namespace.InodeAttr.S_ISGID;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.EntrySink;
import io.tesserafs.node.namespace.VolumeService.Unlinked;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Directories: what appears, disappears and moves by name. Each change is one transaction. */
final class NameOperations {
    private static final int RENAME_NOREPLACE = 1;
    private static final int RENAME_EXCHANGE = 2;
    private static final int MAX_NAME_BYTES = 255;
    private static final Set<Integer> TYPES = Set.of(
            S_IFREG, S_IFDIR, S_IFLNK, InodeAttr.S_IFSOCK, InodeAttr.S_IFBLK, InodeAttr.S_IFCHR, InodeAttr.S_IFIFO);

    private final OwnerCore core;

    NameOperations(OwnerCore core) {
        this.core = core;
    }

    @Nullable
    InodeAttr lookup(long parent, byte[] name) throws FsException {
        core.beginRead();
        try {
            long ino = OwnerCore.entries(core.directoryInode(parent)).find(name);
            return ino == 0 ? null : core.inode(ino).attr();
        } finally {
            core.end();
        }
    }

    long parent(long dir) throws FsException {
        core.beginRead();
        try {
            return OwnerCore.entries(core.directoryInode(dir)).parent();
        } finally {
            core.end();
        }
    }

    void readdir(long dir, long cookie, EntrySink sink) throws FsException {
        core.beginRead();
        try {
            Directory entries = OwnerCore.entries(core.directoryInode(dir));
            for (int slot = entries.after(cookie); slot < entries.slots(); slot++) {
                byte[] name = entries.nameAt(slot);
                if (name != null) {
                    Inode inode = core.inode(entries.inoAt(slot));
                    if (!sink.entry(name, entries.cookieAt(slot), inode.attr())) {
                        return;
                    }
                }
            }
        } finally {
            core.end();
        }
    }

    InodeAttr create(
            long parent, byte[] name, int mode, int rdev, byte @Nullable [] target, Creator creator, long nowNs)
            throws FsException {
        checkName(name);
        int type = mode & S_IFMT;
        if (!TYPES.contains(type)) {
            throw new FsException(Errno.EINVAL, "no type of file: " + Integer.toOctalString(mode));
        }
        core.begin();
        try {
            Inode dir = writableDirectory(parent);
            Directory entries = OwnerCore.entries(dir);
            if (entries.find(name) != 0) {
                throw new FsException(Errno.EEXIST, "name exists");
            }
            boolean isDir = type == S_IFDIR;
            if (isDir && dir.nlink >= VolumeService.MAX_NLINK) {
                throw new FsException(Errno.EMLINK, "too many subdirectories");
            }
            long ino = newInode(dir, mode, isDir ? 2 : 1, rdev, target, creator, nowNs);
            core.tx.putEntry(parent, entries.nextCookie(), ino, name);
            if (isDir) {
                core.tx.setParent(ino, parent, 0);
            }
            touchDirectory(dir, isDir ? 1 : 0, nowNs);
            core.apply(ino, 0);
            return core.inode(ino).attr();
        } finally {
            core.end();
        }
    }

    InodeAttr createOrphan(long parent, int mode, Creator creator, long nowNs) throws FsException {
        core.begin();
        try {
            Inode dir = writableDirectory(parent);
            long ino = newInode(dir, S_IFREG | mode & ~S_IFMT, 0, 0, null, creator, nowNs);
            core.apply(ino, 0);
            return core.inode(ino).attr();
        } finally {
            core.end();
        }
    }

    private long newInode(
            Inode dir, int mode, int nlink, int rdev, byte @Nullable [] target, Creator creator, long nowNs)
            throws FsException {
        if (core.tables.inodeCount() >= core.config.maxInodes()) {
            throw new FsException(Errno.ENOSPC, "the volume's inode limit is reached");
        }
        boolean isLink = (mode & S_IFMT) == S_IFLNK;
        if (isLink && (target == null || target.length == 0 || target.length > VolumeService.MAX_SYMLINK_BYTES)) {
            throw new FsException(
                    target == null || target.length == 0 ? Errno.ENOENT : Errno.ENAMETOOLONG, "bad target");
        }
        int gid = creator.gid();
        if ((dir.mode & S_ISGID) != 0) {
            gid = dir.gid;
            if ((mode & S_IFMT) == S_IFDIR) {
                mode |= S_ISGID;
            }
        }
        long ino = core.tables.nextIno();
        long size = isLink && target != null ? target.length : 0;
        core.tx.putInode(
                new InodeAttr(ino, mode, nlink, creator.uid(), gid, rdev, size, 0, nowNs, nowNs, nowNs, nowNs));
        if (isLink && target != null) {
            core.tx.putSymlink(ino, target);
        }
        return ino;
    }

    InodeAttr link(long ino, long newParent, byte[] newName, long nowNs) throws FsException {
        checkName(newName);
        core.begin();
        try {
            Inode inode = core.inode(ino);
            Inode dir = writableDirectory(newParent);
            if (inode.isDirectory()) {
                throw new FsException(Errno.EPERM, "hard link to a directory");
            }
            if (inode.nlink >= VolumeService.MAX_NLINK) {
                throw new FsException(Errno.EMLINK, "too many links");
            }
            Directory entries = OwnerCore.entries(dir);
            if (entries.find(newName) != 0) {
                throw new FsException(Errno.EEXIST, "name exists");
            }
            core.tx.putEntry(newParent, entries.nextCookie(), ino, newName);
            linkCount(inode, inode.nlink + 1, nowNs);
            touchDirectory(dir, 0, nowNs);
            core.apply(ino, 0);
            return inode.attr();
        } finally {
            core.end();
        }
    }

    Unlinked unlink(long parent, byte[] name, long nowNs) throws FsException {
        core.begin();
        try {
            Inode dir = core.directoryInode(parent);
            Inode inode = entry(dir, name);
            if (inode.isDirectory()) {
                throw new FsException(Errno.EISDIR, "is a directory");
            }
            core.tx.deleteEntry(parent, name);
            linkCount(inode, inode.nlink - 1, nowNs);
            touchDirectory(dir, 0, nowNs);
            core.apply(inode.ino, inode.nlink - 1);
            return new Unlinked(inode.ino, inode.nlink);
        } finally {
            core.end();
        }
    }

    Unlinked rmdir(long parent, byte[] name, long nowNs) throws FsException {
        core.begin();
        try {
            Inode dir = core.directoryInode(parent);
            Inode inode = entry(dir, name);
            checkRemovableDirectory(inode);
            core.tx.deleteEntry(parent, name);
            linkCount(inode, 0, nowNs);
            touchDirectory(dir, -1, nowNs);
            core.apply(inode.ino, 0);
            return new Unlinked(inode.ino, 0);
        } finally {
            core.end();
        }
    }

    @Nullable
    Unlinked rename(long parent, byte[] name, long newParent, byte[] newName, int flags, long nowNs)
            throws FsException {
        checkName(newName);
        if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE)) {
            throw new FsException(Errno.EINVAL, "rename flags");
        }
        core.begin();
        try {
            Inode from = core.directoryInode(parent);
            Inode to = writableDirectory(newParent);
            Inode moved = entry(from, name);
            long targetIno = OwnerCore.entries(to).find(newName);
            Inode target = targetIno == 0 ? null : core.inode(targetIno);
            if (target != null && (flags & RENAME_NOREPLACE) != 0) {
                throw new FsException(Errno.EEXIST, "name exists");
            }
            if (moved.isDirectory()) {
                refuseLoop(moved, to);
            }
            if ((flags & RENAME_EXCHANGE) != 0) {
                if (target == null) {
                    throw new FsException(Errno.ENOENT, "nothing to exchange with");
                }
                if (target.isDirectory()) {
                    refuseLoop(target, from);
                }
                exchange(from, name, moved, to, newName, target, nowNs);
                return null;
            }
            if (target == moved) {
                return null; // two names of one inode: POSIX says that nothing happens
            }
            return replace(from, name, moved, to, newName, target, nowNs);
        } finally {
            core.end();
        }
    }

    private @Nullable Unlinked replace(
            Inode from, byte[] name, Inode moved, Inode to, byte[] newName, @Nullable Inode target, long nowNs)
            throws FsException {
        int toLinks = 0;
        if (target != null) {
            if (target.isDirectory()) {
                if (!moved.isDirectory()) {
                    throw new FsException(Errno.EISDIR, "target is a directory");
                }
                checkRemovableDirectory(target);
                toLinks--;
            } else if (moved.isDirectory()) {
                throw new FsException(Errno.ENOTDIR, "target is not a directory");
            }
        }
        boolean movesDirectory = moved.isDirectory() && from != to;
        toLinks += movesDirectory ? 1 : 0;
        if (to.nlink + toLinks > VolumeService.MAX_NLINK) {
            throw new FsException(Errno.EMLINK, "too many subdirectories");
        }
        core.tx.deleteEntry(from.ino, name);
        int targetLinks = target == null || target.isDirectory() ? 0 : target.nlink - 1;
        if (target != null) {
            core.tx.deleteEntry(to.ino, newName);
            linkCount(target, targetLinks, nowNs);
        }
        core.tx.putEntry(to.ino, OwnerCore.entries(to).nextCookie(), moved.ino, newName);
        if (movesDirectory) {
            core.tx.setParent(moved.ino, to.ino, 0);
        }
        core.tx.setAttr(moved.ino, Mutations.CTIME).field(nowNs);
        if (from == to) {
            touchDirectory(from, toLinks, nowNs);
        } else {
            touchDirectory(from, movesDirectory ? -1 : 0, nowNs);
            touchDirectory(to, toLinks, nowNs);
        }
        core.apply(target == null ? 0 : target.ino, targetLinks);
        return target == null ? null : new Unlinked(target.ino, target.nlink);
    }

    private void exchange(Inode from, byte[] name, Inode moved, Inode to, byte[] newName, Inode target, long nowNs)
            throws FsException {
        core.tx.putEntry(from.ino, OwnerCore.entries(from).cookieOf(name), target.ino, name);
        core.tx.putEntry(to.ino, OwnerCore.entries(to).cookieOf(newName), moved.ino, newName);
        int shift = (moved.isDirectory() ? 1 : 0) - (target.isDirectory() ? 1 : 0);
        if (from != to) {
            if (moved.isDirectory()) {
                core.tx.setParent(moved.ino, to.ino, 0);
            }
            if (target.isDirectory()) {
                core.tx.setParent(target.ino, from.ino, 0);
            }
            touchDirectory(to, shift, nowNs);
            touchDirectory(from, -shift, nowNs);
        } else {
            touchDirectory(from, 0, nowNs);
        }
        core.tx.setAttr(moved.ino, Mutations.CTIME).field(nowNs);
        core.tx.setAttr(target.ino, Mutations.CTIME).field(nowNs);
        core.apply();
    }

    /** A directory must not become its own descendant. */
    private void refuseLoop(Inode moved, Inode newParent) throws FsException {
        for (long at = newParent.ino; at != VolumeService.ROOT; ) {
            if (at == moved.ino) {
                throw new FsException(Errno.EINVAL, "a directory cannot move into itself");
            }
            at = OwnerCore.entries(core.directoryInode(at)).parent();
        }
    }

    private Inode entry(Inode dir, byte[] name) throws FsException {
        long ino = OwnerCore.entries(dir).find(name);
        if (ino == 0) {
            throw new FsException(Errno.ENOENT, "no such entry");
        }
        return core.inode(ino);
    }

    /** A directory that is removed but still open takes no new entries. */
    private Inode writableDirectory(long ino) throws FsException {
        Inode dir = core.directoryInode(ino);
        if (dir.nlink == 0) {
            throw new FsException(Errno.ENOENT, "the directory was removed");
        }
        return dir;
    }

    private static void checkRemovableDirectory(Inode inode) throws FsException {
        if (!inode.isDirectory()) {
            throw new FsException(Errno.ENOTDIR, "not a directory");
        }
        if (OwnerCore.entries(inode).size() > 0) {
            throw new FsException(Errno.ENOTEMPTY, "directory not empty");
        }
    }

    private static void checkName(byte[] name) throws FsException {
        if (name.length > MAX_NAME_BYTES) {
            throw new FsException(Errno.ENAMETOOLONG, "name too long");
        }
        if (name.length == 0 || name[0] == '.' && (name.length == 1 || name.length == 2 && name[1] == '.')) {
            throw new FsException(Errno.EINVAL, "reserved name");
        }
    }

    private void linkCount(Inode inode, int nlink, long nowNs) {
        core.tx
                .setAttr(inode.ino, Mutations.NLINK | Mutations.CTIME)
                .field(nlink)
                .field(nowNs);
    }

    private void touchDirectory(Inode dir, int links, long nowNs) {
        if (links == 0) {
            core.tx
                    .setAttr(dir.ino, Mutations.MTIME | Mutations.CTIME)
                    .field(nowNs)
                    .field(nowNs);
        } else {
            core.tx
                    .setAttr(dir.ino, Mutations.NLINK | Mutations.MTIME | Mutations.CTIME)
                    .field(dir.nlink + links)
                    .field(nowNs)
                    .field(nowNs);
        }
    }
}
