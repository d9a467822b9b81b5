package io.tesserafs.node.namespace;

import static io.tesserafs.node.namespace.InodeAttr.S_IFMT;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Inodes themselves: attributes, extended attributes, extents, and their end. */
final class FileOperations {
    private static final int XATTR_CREATE = 1;
    private static final int XATTR_REPLACE = 2;
    private static final int MAX_XATTR_NAME_BYTES = 255;
    /** Of one inode; keeps getfattr -d and listxattr's 64 KiB within reason. */
    private static final int MAX_XATTR_NAMES_BYTES = 64 << 10;

    private static final XattrName CAPABILITY =
            new XattrName("security.capability".getBytes(StandardCharsets.US_ASCII));

    /** Extents in one commit; the transaction then stays below the largest. */
    static final int MAX_COMMIT_EXTENTS = 4096;

    private final OwnerCore core;

    FileOperations(OwnerCore core) {
        this.core = core;
    }

    InodeAttr getattr(long ino) throws FsException {
        core.beginRead();
        try {
            return core.inode(ino).attr();
        } finally {
            core.end();
        }
    }

    byte[] readlink(long ino) throws FsException {
        core.beginRead();
        try {
            if (core.inode(ino).body instanceof byte[] target) {
                return target.clone();
            }
            throw new FsException(Errno.EINVAL, "not a symbolic link");
        } finally {
            core.end();
        }
    }

    InodeAttr setattr(long ino, SetAttr change, long nowNs) throws FsException {
        core.begin();
        try {
            Inode inode = core.inode(ino);
            int mask = Mutations.CTIME;
            int mode = inode.mode;
            int uid = change.has(SetAttr.UID) ? change.uid() : inode.uid;
            int gid = change.has(SetAttr.GID) ? change.gid() : inode.gid;
            if (change.has(SetAttr.MODE)) {
                mode = mode & S_IFMT | change.mode() & ~S_IFMT;
            }
            if (change.has(SetAttr.KILL_SUIDGID)) {
                mode = InodeAttr.withoutSuidSgid(mode);
            }
            mask |= mode != inode.mode ? Mutations.MODE : 0;
            mask |= uid != inode.uid ? Mutations.UID : 0;
            mask |= gid != inode.gid ? Mutations.GID : 0;
            mask |= change.has(SetAttr.ATIME) ? Mutations.ATIME : 0;
            mask |= change.has(SetAttr.MTIME) ? Mutations.MTIME : 0;
            long atime = change.has(SetAttr.ATIME_NOW) ? nowNs : change.atimeNs();
            long mtime = change.has(SetAttr.MTIME_NOW) ? nowNs : change.mtimeNs();
            long ctime = change.has(SetAttr.CTIME) ? change.ctimeNs() : nowNs;
            core.tx.setAttr(ino, mask);
            appendInts(mask, mode, uid, gid);
            if ((mask & Mutations.ATIME) != 0) {
                core.tx.field(atime);
            }
            if ((mask & Mutations.MTIME) != 0) {
                core.tx.field(mtime);
            }
            core.tx.field(ctime);
            if ((mask & (Mutations.UID | Mutations.GID)) != 0 || change.has(SetAttr.KILL_SUIDGID)) {
                dropCapability(inode);
            }
            core.apply(ino, 0);
            return inode.attr();
        } finally {
            core.end();
        }
    }

    private void appendInts(int mask, int mode, int uid, int gid) {
        if ((mask & Mutations.MODE) != 0) {
            core.tx.field(mode);
        }
        if ((mask & Mutations.UID) != 0) {
            core.tx.field(uid);
        }
        if ((mask & Mutations.GID) != 0) {
            core.tx.field(gid);
        }
    }

    /** As the kernel's setattr_prepare: suid always, sgid only where it means execution as the group. */
    private void dropCapability(Inode inode) {
        if (inode.xattrs != null && inode.xattrs.containsKey(CAPABILITY)) {
            core.tx.deleteXattr(inode.ino, CAPABILITY.bytes());
        }
    }

    InodeAttr truncate(long ino, long size, boolean killSuidGid, long nowNs) throws FsException {
        core.begin();
        try {
            Inode inode = core.inode(ino);
            if (!inode.isRegular()) {
                throw new FsException(inode.isDirectory() ? Errno.EISDIR : Errno.EINVAL, "not a regular file");
            }
            if (size < 0) {
                throw new FsException(Errno.EINVAL, "negative size");
            }
            ExtentMap extents = inode.extents();
            if (extents != null && size < inode.size) {
                cutExtents(ino, extents, size);
            }
            int mode = killSuidGid ? InodeAttr.withoutSuidSgid(inode.mode) : inode.mode;
            if (killSuidGid) {
                dropCapability(inode);
            }
            core.tx
                    .setAttr(ino, Mutations.MODE | Mutations.SIZE | Mutations.MTIME | Mutations.CTIME)
                    .field(mode)
                    .field(size)
                    .field(nowNs)
                    .field(nowNs);
            core.apply(ino, 0);
            return inode.attr();
        } finally {
            core.end();
        }
    }

    private void cutExtents(long ino, ExtentMap extents, long size) {
        long lastTile = size / BlockId.BLOCK_BYTES;
        int within = (int) (size % BlockId.BLOCK_BYTES);
        long firstGone = within == 0 ? lastTile : lastTile + 1;
        if (extents.ceiling(firstGone) < extents.count()) {
            core.tx.deleteExtents(ino, firstGone, Long.MAX_VALUE);
        }
        int last = within == 0 ? -1 : extents.find(lastTile);
        if (last >= 0 && ExtentMap.validBytes(extents.packedAt(last)) > within) {
            core.tx.putExtent(
                    ino,
                    lastTile,
                    extents.blockAt(last),
                    ExtentMap.withValid(extents.packedAt(last), within),
                    Math.min(extents.durableAt(last), within));
        }
    }

    List<Extent> layout(long ino, long fromTile, long toTile) throws FsException {
        core.beginRead();
        try {
            ExtentMap extents = core.inode(ino).extents();
            List<Extent> list = new ArrayList<>();
            if (extents != null) {
                for (int i = extents.ceiling(fromTile); i < extents.count() && extents.tileAt(i) < toTile; i++) {
                    long packed = extents.packedAt(i);
                    list.add(new Extent(
                            extents.tileAt(i),
                            ExtentMap.ref(extents.blockAt(i), packed),
                            ExtentMap.validBytes(packed)));
                }
            }
            return list;
        } finally {
            core.end();
        }
    }

    /**
     * Extents of the commit that move away from a place with durable bytes: their new place must be flushed before the commit, since the old one is
     * freed by it.
     */
    List<ExtentRef> movedFromDurable(long ino, DataCommit commit) throws FsException {
        core.beginRead();
        try {
            List<ExtentRef> moved = new ArrayList<>();
            ExtentMap extents = core.inode(ino).extents();
            for (Extent extent : commit.extents()) {
                int at = extents == null ? -1 : extents.find(extent.tile());
                if (extents != null && at >= 0 && extents.durableAt(at) > 0 && !samePlace(extents, at, extent)) {
                    moved.add(extent.ref());
                }
            }
            return moved;
        } finally {
            core.end();
        }
    }

    private static boolean samePlace(ExtentMap extents, int at, Extent extent) {
        return ExtentMap.ref(extents.blockAt(at), extents.packedAt(at)).equals(extent.ref());
    }

    private static int durableBytes(Inode inode, Extent extent, boolean flushed) {
        if (flushed) {
            return extent.validBytes();
        }
        ExtentMap extents = inode.extents();
        int at = extents == null ? -1 : extents.find(extent.tile());
        return extents != null && at >= 0 && samePlace(extents, at, extent)
                ? Math.min(extents.durableAt(at), extent.validBytes())
                : 0;
    }

    /** {@code flushed}: the data was flushed, whatever the commit says of itself. */
    InodeAttr commit(long ino, DataCommit commit, boolean flushed) throws FsException {
        if (commit.extents().size() + commit.holes().length > MAX_COMMIT_EXTENTS) {
            throw new IllegalArgumentException("commit of " + commit.extents().size() + " extents");
        }
        core.begin();
        try {
            Inode inode = core.inode(ino);
            if (!inode.isRegular()) {
                throw new FsException(Errno.EINVAL, "not a regular file");
            }
            for (Extent extent : commit.extents()) {
                if (extent.tile() >= ExtentMap.MAX_TILES) {
                    throw new FsException(Errno.EFBIG, "tile " + extent.tile());
                }
                checkOwned(inode, extent);
                core.tx.putExtent(
                        ino,
                        extent.tile(),
                        extent.ref().block().value(),
                        ExtentMap.pack(extent.ref(), extent.validBytes()),
                        durableBytes(inode, extent, commit.durable() || flushed));
            }
            for (long hole : commit.holes()) {
                core.tx.deleteExtents(ino, hole, hole + 1);
            }
            int mode = commit.clearSuidGid() ? InodeAttr.withoutSuidSgid(inode.mode) : inode.mode;
            if (commit.clearSuidGid()) {
                dropCapability(inode);
            }
            core.tx
                    .setAttr(ino, Mutations.MODE | Mutations.SIZE | Mutations.ATIME | Mutations.MTIME | Mutations.CTIME)
                    .field(mode)
                    .field(Math.max(inode.size, commit.size()))
                    .field(newer(inode.atimeNs, commit.atimeNs(), commit.ctimeNs()))
                    .field(newer(inode.mtimeNs, commit.mtimeNs(), commit.ctimeNs()))
                    .field(Math.max(inode.ctimeNs, commit.ctimeNs()));
            core.apply(ino, 0);
            return inode.attr();
        } finally {
            core.end();
        }
    }

    private static long newer(long known, long given, long changedAtNs) {
        return given == DataCommit.UNCHANGED ? known : InodeAttr.newer(known, given, changedAtNs);
    }

    void cutBeyondEnds() throws FsException {
        List<Long> inodes = new ArrayList<>();
        core.beginRead();
        try {
            core.tables.forEach(inode -> {
                if (reachesBeyond(inode)) {
                    inodes.add(inode.ino);
                }
            });
        } finally {
            core.end();
        }
        for (long ino : inodes) {
            core.begin();
            try {
                cutBeyondEnd(core.inode(ino));
                core.apply();
            } finally {
                core.end();
            }
        }
    }

    /** Valid bytes of the extent at that position that lie inside the file. */
    private static int validInside(Inode inode, ExtentMap extents, int at) {
        long start = extents.tileAt(at) * BlockId.BLOCK_BYTES;
        int valid = ExtentMap.validBytes(extents.packedAt(at));
        return (int) Math.max(0, Math.min(valid, inode.size - start));
    }

    private static boolean reachesBeyond(Inode inode) {
        ExtentMap extents = inode.extents();
        int last = extents == null ? -1 : extents.count() - 1;
        // Extents are in order: if the last one lies inside the file, all do.
        return extents != null
                && last >= 0
                && validInside(inode, extents, last) < ExtentMap.validBytes(extents.packedAt(last));
    }

    private void cutBeyondEnd(Inode inode) {
        ExtentMap extents = inode.extents();
        for (int i = extents == null ? -1 : extents.count() - 1; extents != null && i >= 0; i--) {
            int inside = validInside(inode, extents, i);
            long packed = extents.packedAt(i);
            if (inside == ExtentMap.validBytes(packed)) {
                return;
            }
            ExtentRef ref = ExtentMap.ref(extents.blockAt(i), packed);
            core.tx.putExtent(
                    inode.ino,
                    extents.tileAt(i),
                    ref.block().value(),
                    ExtentMap.pack(ref, inside),
                    Math.min(inside, extents.durableAt(i)));
        }
    }

    /** A node may only name space that it was given: reserved for it, or this tile's already. */
    private void checkOwned(Inode inode, Extent extent) throws FsException {
        if (core.spaces.isReserved(extent.ref())) {
            return;
        }
        ExtentMap extents = inode.extents();
        int at = extents == null ? -1 : extents.find(extent.tile());
        if (extents == null || at < 0 || !samePlace(extents, at, extent)) {
            if (!core.spaces.adopt(extent.ref())) {
                BrickId brick = extent.ref().brick();
                if (core.spaces.mayHaveUnknownHeirs(brick)) {
                    throw new UnavailableException("what the last owner gave out on brick " + brick
                            + " is not known before that is there: " + extent);
                }
                throw new FsException(Errno.EIO, "commit of space that was not given out: " + extent);
            }
        }
    }

    void unreferenced(long ino) throws FsException {
        core.begin();
        try {
            Inode inode = core.tables.inode(ino);
            if (inode != null && inode.nlink == 0) {
                core.tx.deleteInode(ino);
                core.applyUnasked();
            }
        } finally {
            core.end();
        }
    }

    byte[] getxattr(long ino, byte[] name) throws FsException {
        core.beginRead();
        try {
            Inode inode = core.inode(ino);
            byte[] value = inode.xattrs == null ? null : inode.xattrs.get(new XattrName(name));
            if (value == null) {
                throw new FsException(Errno.ENODATA, "no such attribute");
            }
            return value;
        } finally {
            core.end();
        }
    }

    byte[] listxattr(long ino) throws FsException {
        core.beginRead();
        try {
            Inode inode = core.inode(ino);
            ByteArrayOutputStream names = new ByteArrayOutputStream();
            if (inode.xattrs != null) {
                for (XattrName name : inode.xattrs.keySet()) {
                    names.writeBytes(name.bytes());
                    names.write(0);
                }
            }
            return names.toByteArray();
        } finally {
            core.end();
        }
    }

    void setxattr(long ino, byte[] name, byte[] value, int flags, long nowNs) throws FsException {
        if (name.length == 0 || name.length > MAX_XATTR_NAME_BYTES) {
            throw new FsException(Errno.ERANGE, "attribute name length");
        }
        if (value.length > VolumeService.MAX_XATTR_BYTES) {
            throw new FsException(Errno.E2BIG, "attribute value too large");
        }
        core.begin();
        try {
            Inode inode = core.inode(ino);
            XattrName key = new XattrName(name);
            byte[] old = inode.xattrs == null ? null : inode.xattrs.get(key);
            if (old != null && (flags & XATTR_CREATE) != 0) {
                throw new FsException(Errno.EEXIST, "attribute exists");
            }
            if (old == null && (flags & XATTR_REPLACE) != 0) {
                throw new FsException(Errno.ENODATA, "no such attribute");
            }
            if (old == null && namesBytes(inode) + name.length + 1 > MAX_XATTR_NAMES_BYTES) {
                throw new FsException(Errno.ENOSPC, "too many attributes");
            }
            if (old != null && Arrays.equals(old, value)) {
                return;
            }
            core.tx.putXattr(ino, name, value);
            core.tx.setAttr(ino, Mutations.CTIME).field(nowNs);
            core.apply();
        } finally {
            core.end();
        }
    }

    private static int namesBytes(Inode inode) {
        int bytes = 0;
        if (inode.xattrs != null) {
            for (XattrName name : inode.xattrs.keySet()) {
                bytes += name.bytes().length + 1;
            }
        }
        return bytes;
    }

    void removexattr(long ino, byte[] name, long nowNs) throws FsException {
        core.begin();
        try {
            Inode inode = core.inode(ino);
            if (inode.xattrs == null || !inode.xattrs.containsKey(new XattrName(name))) {
                throw new FsException(Errno.ENODATA, "no such attribute");
            }
            core.tx.deleteXattr(ino, name);
            core.tx.setAttr(ino, Mutations.CTIME).field(nowNs);
            core.apply();
        } finally {
            core.end();
        }
    }
}
