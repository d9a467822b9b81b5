package io.tesserafs.fuse;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The part of {@link MemoryFileSystem} that knows no names: attributes, data and extended attributes of inodes, under the inode's lock, and what there is nothing
 * to do for.
 */
abstract class MemoryInodes implements FileSystem {
    static final int S_IFDIR = 0x4000;
    static final long TTL_NS = 1_000_000_000L;
    private static final int O_TRUNC = 0x200;
    private static final int KEEP_SIZE = 1;
    private static final int PUNCH_HOLE = 2;
    private static final int SEEK_DATA = 3;

    final Map<Long, MemoryNode> nodes = new ConcurrentHashMap<>();
    public volatile @Nullable FuseSession session;
    public volatile boolean stopped;

    static long now() {
        return System.currentTimeMillis() * 1_000_000;
    }

    static String text(byte[] name) {
        return new String(name, StandardCharsets.ISO_8859_1);
    }

    static byte[] bytes(String name) {
        return name.getBytes(StandardCharsets.ISO_8859_1);
    }

    @Override
    public void started(FuseSession s) {
        session = s;
    }

    @Override
    public void stopped() {
        stopped = true;
    }

    @Nullable
    MemoryNode node(Request rq, long ino) {
        MemoryNode node = nodes.get(ino);
        if (node == null) {
            rq.replyError(Errno.ESTALE);
        }
        return node;
    }

    @Override
    public void getattr(Request rq, long ino, long fh) {
        MemoryNode node = node(rq, ino);
        if (node != null) {
            rq.replyAttr(node.attributes(), TTL_NS);
        }
    }

    @Override
    public void setattr(Request rq, long ino, SetAttr change) {
        MemoryNode node = node(rq, ino);
        if (node == null) {
            return;
        }
        synchronized (node) {
            if (change.has(SetAttr.MODE)) {
                node.mode = (node.mode & 0xf000) | (change.mode() & 07777);
            }
            if (change.has(SetAttr.UID)) {
                node.uid = change.uid();
            }
            if (change.has(SetAttr.GID)) {
                node.gid = change.gid();
            }
            if (change.has(SetAttr.SIZE)) {
                node.resize(change.size());
                node.mtimeNs = now();
            }
            if (change.has(SetAttr.ATIME)) {
                node.atimeNs = change.has(SetAttr.ATIME_NOW) ? now() : change.atimeNs();
            }
            if (change.has(SetAttr.MTIME)) {
                node.mtimeNs = change.has(SetAttr.MTIME_NOW) ? now() : change.mtimeNs();
            }
            node.ctimeNs = now();
            rq.replyAttr(node.attributes(), TTL_NS);
        }
    }

    @Override
    public void readlink(Request rq, long ino) {
        MemoryNode node = node(rq, ino);
        if (node != null) {
            rq.replyBytes(node.target);
        }
    }

    @Override
    public void open(Request rq, long ino, int flags, boolean killSuidGid) {
        MemoryNode node = node(rq, ino);
        if (node == null) {
            return;
        }
        if ((flags & O_TRUNC) != 0) {
            synchronized (node) {
                node.resize(0);
            }
        }
        rq.replyOpen(ino, OpenFlags.KEEP_CACHE | OpenFlags.PARALLEL_DIRECT_WRITES);
    }

    @Override
    public void read(Request rq, long ino, long fh, long offset, int size, boolean direct) {
        MemoryNode node = node(rq, ino);
        if (node == null) {
            return;
        }
        MemorySegment data;
        int length;
        synchronized (node) {
            data = node.data;
            length = (int) Math.max(0, Math.min(size, node.size - offset));
        }
        try {
            if (length > 0) {
                rq.addData(data, offset, length);
            }
            rq.replyData();
        } finally {
            Reference.reachabilityFence(data);
        }
    }

    @Override
    public void write(
            Request rq,
            long ino,
            long fh,
            long offset,
            MemorySegment payload,
            boolean direct,
            boolean fromCache,
            boolean killSuidGid,
            int openFlags) {
        MemoryNode node = node(rq, ino);
        if (node == null) {
            return;
        }
        long length = payload.byteSize();
        synchronized (node) {
            node.ensure(offset + length);
            MemorySegment.copy(payload, 0, node.data, offset, length);
            node.size = Math.max(node.size, offset + length);
            node.mtimeNs = now();
        }
        rq.replyWritten((int) length);
    }

    @Override
    public void flush(Request rq, long ino, long fh, long lockOwner) {
        rq.replyOk();
    }

    @Override
    public void release(Request rq, long ino, long fh, @Nullable Long flockOwner) {
        rq.replyOk();
    }

    @Override
    public boolean handlesLocks() {
        return false;
    }

    @Override
    public void getlk(Request rq, long ino, long fh, FileLock lock) {
        rq.replyError(Errno.ENOSYS);
    }

    @Override
    public void setlk(Request rq, long ino, long fh, FileLock lock, boolean wait) {
        rq.replyError(Errno.ENOSYS);
    }

    @Override
    public void fsync(Request rq, long ino, long fh, boolean dataOnly) {
        rq.replyOk();
    }

    @Override
    public void opendir(Request rq, long ino, int flags) {
        rq.replyOpen(ino, 0);
    }

    @Override
    public void releasedir(Request rq, long ino, long fh) {
        rq.replyOk();
    }

    @Override
    public void fsyncdir(Request rq, long ino, long fh, boolean dataOnly) {
        rq.replyOk();
    }

    @Override
    public void statfs(Request rq, long ino) {
        rq.replyStatfs(1 << 20, 1 << 19, 1 << 18, 1000, 500, 4096, 255, 4096);
    }

    @Override
    public void setxattr(Request rq, long ino, byte[] name, byte[] value, int flags, boolean clearSgid) {
        MemoryNode node = node(rq, ino);
        if (node != null) {
            synchronized (node) {
                node.xattrs.put(text(name), value);
            }
            rq.replyOk();
        }
    }

    @Override
    public void getxattr(Request rq, long ino, byte[] name, int size) {
        MemoryNode node = node(rq, ino);
        if (node != null) {
            byte[] value;
            synchronized (node) {
                value = node.xattrs.get(text(name));
            }
            if (value == null) {
                rq.replyError(Errno.ENODATA);
            } else {
                rq.replyXattr(value, size);
            }
        }
    }

    @Override
    public void listxattr(Request rq, long ino, int size) {
        MemoryNode node = node(rq, ino);
        if (node != null) {
            StringBuilder names = new StringBuilder();
            synchronized (node) {
                node.xattrs.keySet().forEach(name -> names.append(name).append('\0'));
            }
            rq.replyXattr(bytes(names.toString()), size);
        }
    }

    @Override
    public void removexattr(Request rq, long ino, byte[] name) {
        MemoryNode node = node(rq, ino);
        if (node != null) {
            boolean removed;
            synchronized (node) {
                removed = node.xattrs.remove(text(name)) != null;
            }
            if (removed) {
                rq.replyOk();
            } else {
                rq.replyError(Errno.ENODATA);
            }
        }
    }

    @Override
    public void fallocate(Request rq, long ino, long fh, long offset, long length, int mode) {
        MemoryNode node = node(rq, ino);
        if (node == null) {
            return;
        }
        synchronized (node) {
            if ((mode & PUNCH_HOLE) != 0) {
                long end = Math.min(node.size, offset + length);
                if (end > offset) {
                    node.data.asSlice(offset, end - offset).fill((byte) 0);
                }
            } else if ((mode & KEEP_SIZE) == 0 && offset + length > node.size) {
                node.resize(offset + length);
            }
        }
        rq.replyOk();
    }

    @Override
    public void lseek(Request rq, long ino, long fh, long offset, int whence) {
        MemoryNode node = node(rq, ino);
        if (node == null) {
            return;
        }
        if (offset >= node.size) {
            rq.replyError(Errno.ENXIO);
        } else {
            rq.replyOffset(whence == SEEK_DATA ? offset : node.size);
        }
    }

    @Override
    public void copyFileRange(
            Request rq, long ino, long fh, long offset, long outIno, long outFh, long outOffset, long length) {
        MemoryNode from = node(rq, ino);
        MemoryNode to = nodes.get(outIno);
        if (from == null || to == null) {
            return;
        }
        byte[] copy;
        synchronized (from) {
            int count = (int) Math.max(0, Math.min(length, from.size - offset));
            copy = Arrays.copyOf(from.data.asSlice(offset, count).toArray(ValueLayout.JAVA_BYTE), count);
        }
        synchronized (to) {
            to.ensure(outOffset + copy.length);
            to.data.asSlice(outOffset, copy.length).copyFrom(MemorySegment.ofArray(copy));
            to.size = Math.max(to.size, outOffset + copy.length);
        }
        rq.replyWritten(copy.length);
    }

    @Override
    public void ioctl(Request rq, long ino, long fh, int command, @Nullable MemorySegment in, int outSize) {
        rq.replyError(Errno.ENOTTY);
    }

    @Override
    public void syncfs(Request rq, long ino) {
        rq.replyOk();
    }
}
