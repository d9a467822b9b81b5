package io.tesserafs.node.namespace;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One inode in the owner's memory. Fields are written by the apply step of a transaction only, under the owner's lock. */
final class Inode {
    final long ino;
    int mode;
    int nlink;
    int uid;
    int gid;
    int rdev;
    long size;
    long atimeNs;
    long mtimeNs;
    long ctimeNs;
    long btimeNs;
    /** 512-byte units that the extents occupy. */
    long blocks;
    /** {@link Directory}, {@link ExtentMap}, a symlink's byte[], or null. */
    @Nullable
    Object body;

    @Nullable
    Map<XattrName, byte[]> xattrs;

    Inode(long ino) {
        this.ino = ino;
    }

    boolean isDirectory() {
        return (mode & InodeAttr.S_IFMT) == InodeAttr.S_IFDIR;
    }

    boolean isRegular() {
        return (mode & InodeAttr.S_IFMT) == InodeAttr.S_IFREG;
    }

    @Nullable
    Directory directory() {
        return body instanceof Directory directory ? directory : null;
    }

    @Nullable
    ExtentMap extents() {
        return body instanceof ExtentMap extents ? extents : null;
    }

    Map<XattrName, byte[]> xattrsForChange() {
        Map<XattrName, byte[]> map = xattrs;
        if (map == null) {
            map = new LinkedHashMap<>(4);
            xattrs = map;
        }
        return map;
    }

    InodeAttr attr() {
        return new InodeAttr(ino, mode, nlink, uid, gid, rdev, size, blocks, atimeNs, mtimeNs, ctimeNs, btimeNs);
    }
}
