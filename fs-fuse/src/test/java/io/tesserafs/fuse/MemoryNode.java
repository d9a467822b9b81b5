package io.tesserafs.fuse;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.TreeMap;

/** An inode of {@link MemoryFileSystem}. Guarded by itself, but for {@link #ino}. */
final class MemoryNode {
    private static final int S_IFMT = 0xf000;
    private static final int S_IFDIR = 0x4000;
    private static final long FIRST_BYTES = 4096;

    final long ino;
    int mode;
    int uid;
    int gid;
    int rdev;
    int nlink = 1;
    long size;
    long atimeNs;
    long mtimeNs;
    long ctimeNs;
    final long btimeNs;
    long references;
    /** Names to inodes, ordered as readdir shows them; cookies are positions. */
    final TreeMap<String, Long> entries = new TreeMap<>();

    final TreeMap<String, byte[]> xattrs = new TreeMap<>();
    byte[] target = new byte[0];
    MemorySegment data = MemorySegment.NULL;

    MemoryNode(long ino, int mode, long nowNs) {
        this.ino = ino;
        this.mode = mode;
        this.atimeNs = nowNs;
        this.mtimeNs = nowNs;
        this.ctimeNs = nowNs;
        this.btimeNs = nowNs;
    }

    boolean isDirectory() {
        return (mode & S_IFMT) == S_IFDIR;
    }

    /** Room for {@code bytes}; what was there stays, the rest is zero. Readers of the old memory may go on. */
    void ensure(long bytes) {
        if (data.byteSize() < bytes) {
            long capacity = Math.max(FIRST_BYTES, Math.max(bytes, data.byteSize() * 2));
            MemorySegment grown = Arena.ofAuto().allocate(capacity, 4096);
            grown.copyFrom(data.asSlice(0, Math.min(size, data.byteSize())));
            data = grown;
        }
    }

    void resize(long newSize) {
        ensure(newSize);
        if (newSize < size) {
            data.asSlice(newSize, size - newSize).fill((byte) 0);
        }
        size = newSize;
    }

    Attributes attributes() {
        return new AttributesRecord(
                ino, mode, nlink, uid, gid, rdev, size, (size + 511) / 512, atimeNs, mtimeNs, ctimeNs, btimeNs);
    }
}
