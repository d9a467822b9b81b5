package io.tesserafs.fuse;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A filesystem in memory, to test mounts with. Namespace changes are under one lock, data under the inode's. Subclasses
 * override what a test wants to be different.
 */
public class MemoryFileSystem implements FileSystem {
    private static final int S_IFDIR = 0x4000;
    private static final int S_IFREG = 0x8000;
    private static final int S_IFLNK = 0xa000;
    private static final int O_TRUNC = 0x200;
    private static final int O_EXCL = 0x80;
    private static final long TTL_NS = 1_000_000_000L;
    private static final int KEEP_SIZE = 1;
    private static final int PUNCH_HOLE = 2;

    final Map<Long, MemoryNode> nodes = new ConcurrentHashMap<>();
    public final AtomicLong forgotten = new AtomicLong();
    public volatile @Nullable FuseSession session;
    public volatile boolean stopped;
    private final AtomicLong nextIno = new AtomicLong(2);
    private final Object namespace = new Object();

    public MemoryFileSystem() {
        MemoryNode root = new MemoryNode(ROOT, S_IFDIR | 0755, now());
        root.nlink = 2;
        try {
            // Its own user's, so that an ordinary user can write in what it mounts.
            root.uid = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
            root.gid = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:gid");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        nodes.put(ROOT, root);
    }

    private static long now() {
        return System.currentTimeMillis() * 1_000_000;
    }

    private static String text(byte[] name) {
        return new String(name, StandardCharsets.ISO_8859_1);
    }

    private static byte[] bytes(String name) {
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

    private @Nullable MemoryNode child(long parent, byte[] name) {
        MemoryNode dir = nodes.get(parent);
        if (dir == null) {
            return null;
        }
        synchronized (namespace) {
            Long ino = dir.entries.get(text(name));
            return ino == null ? null : nodes.get(ino);
        }
    }

    @Override
    public void lookup(Request rq, long parent, byte[] name) {
        MemoryNode node = child(parent, name);
        if (node == null) {
            rq.replyNoEntry(0);
        } else {
            replyEntry(rq, node);
        }
    }

    private void replyEntry(Request rq, MemoryNode node) {
        synchronized (node) {
            node.references++;
        }
        if (!rq.replyEntry(node.attributes(), TTL_NS, TTL_NS)) {
            forget(node.ino, 1);
        }
    }

    @Override
    public void forget(long ino, long count) {
        forgotten.addAndGet(count);
        MemoryNode node = nodes.get(ino);
        if (node != null && ino != ROOT) {
            synchronized (node) {
                node.references -= count;
                if (node.references == 0 && node.nlink == 0) {
                    nodes.remove(ino);
                }
            }
        }
    }

    /** References the kernel holds on {@code ino}. */
    public long references(long ino) {
        MemoryNode node = nodes.get(ino);
        return node == null ? 0 : node.references;
    }

    private @Nullable MemoryNode node(Request rq, long ino) {
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

    /** Null when answered with an error. */
    private @Nullable MemoryNode make(Request rq, long parent, byte[] name, int mode) {
        MemoryNode dir = node(rq, parent);
        if (dir == null) {
            return null;
        }
        synchronized (namespace) {
            if (dir.entries.containsKey(text(name))) {
                rq.replyError(Errno.EEXIST);
                return null;
            }
            MemoryNode node = fresh(rq, mode);
            dir.entries.put(text(name), node.ino);
            if (node.isDirectory()) {
                node.nlink = 2;
                dir.nlink++;
            }
            return node;
        }
    }

    private MemoryNode fresh(Request rq, int mode) {
        MemoryNode node = new MemoryNode(nextIno.getAndIncrement(), mode, now());
        node.uid = rq.uid();
        node.gid = rq.gid();
        nodes.put(node.ino, node);
        return node;
    }

    @Override
    public void symlink(Request rq, long parent, byte[] name, byte[] target) {
        MemoryNode node = make(rq, parent, name, S_IFLNK | 0777);
        if (node != null) {
            node.target = target;
            node.size = target.length;
            replyEntry(rq, node);
        }
    }

    @Override
    public void mknod(Request rq, long parent, byte[] name, int mode, int rdev) {
        MemoryNode node = make(rq, parent, name, mode);
        if (node != null) {
            node.rdev = rdev;
            replyEntry(rq, node);
        }
    }

    @Override
    public void mkdir(Request rq, long parent, byte[] name, int mode) {
        MemoryNode node = make(rq, parent, name, S_IFDIR | mode);
        if (node != null) {
            replyEntry(rq, node);
        }
    }

    @Override
    public void unlink(Request rq, long parent, byte[] name) {
        remove(rq, parent, name, false);
    }

    @Override
    public void rmdir(Request rq, long parent, byte[] name) {
        remove(rq, parent, name, true);
    }

    private void remove(Request rq, long parent, byte[] name, boolean directory) {
        MemoryNode dir = node(rq, parent);
        if (dir == null) {
            return;
        }
        int errno = 0;
        synchronized (namespace) {
            MemoryNode node = child(parent, name);
            if (node == null) {
                errno = Errno.ENOENT;
            } else if (directory && !node.entries.isEmpty()) {
                errno = Errno.ENOTEMPTY;
            } else {
                dir.entries.remove(text(name));
                drop(dir, node);
            }
        }
        if (errno == 0) {
            rq.replyOk();
        } else {
            rq.replyError(errno);
        }
    }

    private void drop(MemoryNode dir, MemoryNode node) {
        synchronized (node) {
            if (node.isDirectory()) {
                dir.nlink--;
                node.nlink = 0;
            } else {
                node.nlink--;
            }
            node.ctimeNs = now();
            if (node.nlink == 0 && node.references == 0) {
                nodes.remove(node.ino);
            }
        }
    }

    @Override
    public void rename(Request rq, long parent, byte[] name, long newParent, byte[] newName, int flags) {
        MemoryNode from = nodes.get(parent);
        MemoryNode to = nodes.get(newParent);
        int errno = 0;
        synchronized (namespace) {
            MemoryNode node = child(parent, name);
            MemoryNode old = child(newParent, newName);
            if (node == null || from == null || to == null || (flags == 2 && old == null)) {
                errno = Errno.ENOENT;
            } else if (flags == 1 && old != null) {
                errno = Errno.EEXIST;
            } else if (flags == 2 && old != null) {
                from.entries.put(text(name), old.ino);
                to.entries.put(text(newName), node.ino);
            } else {
                from.entries.remove(text(name));
                to.entries.put(text(newName), node.ino);
                if (old != null) {
                    drop(to, old);
                }
            }
        }
        if (errno == 0) {
            rq.replyOk();
        } else {
            rq.replyError(errno);
        }
    }

    @Override
    public void link(Request rq, long ino, long newParent, byte[] newName) {
        MemoryNode node = node(rq, ino);
        MemoryNode dir = nodes.get(newParent);
        if (node == null || dir == null) {
            return;
        }
        synchronized (namespace) {
            dir.entries.put(text(newName), ino);
            node.nlink++;
        }
        replyEntry(rq, node);
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
    public void create(Request rq, long parent, byte[] name, int mode, int flags, boolean killSuidGid) {
        MemoryNode node = (flags & O_EXCL) == 0 ? child(parent, name) : null;
        if (node == null) {
            node = make(rq, parent, name, S_IFREG | (mode & 07777));
        }
        if (node != null) {
            replyCreate(rq, node);
        }
    }

    private void replyCreate(Request rq, MemoryNode node) {
        synchronized (node) {
            node.references++;
        }
        if (!rq.replyCreate(node.attributes(), TTL_NS, TTL_NS, node.ino, OpenFlags.KEEP_CACHE)) {
            forget(node.ino, 1);
        }
    }

    @Override
    public void tmpfile(Request rq, long parent, int mode, int flags) {
        MemoryNode node = fresh(rq, S_IFREG | (mode & 07777));
        node.nlink = 0;
        replyCreate(rq, node);
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
    public void readdir(Request rq, long ino, long fh, long cookie, int size, boolean plus) {
        MemoryNode dir = node(rq, ino);
        if (dir == null) {
            return;
        }
        Request.Directory out = rq.directory(size, plus);
        List<Map.Entry<String, Long>> list;
        synchronized (namespace) {
            list = new ArrayList<>(dir.entries.entrySet());
        }
        List<MemoryNode> referenced = new ArrayList<>();
        boolean room = cookie > 0 || out.add(bytes("."), ino, S_IFDIR >> 12, 1);
        room = room && (cookie > 1 || out.add(bytes(".."), ROOT, S_IFDIR >> 12, 2));
        for (int i = (int) Math.max(cookie - 2, 0); room && i < list.size(); i++) {
            MemoryNode node = nodes.get(list.get(i).getValue());
            if (node != null) {
                room = out.add(bytes(list.get(i).getKey()), node.attributes(), i + 3L, TTL_NS, TTL_NS);
                if (room && plus) {
                    synchronized (node) {
                        node.references++;
                    }
                    referenced.add(node);
                }
            }
        }
        if (!out.reply()) {
            referenced.forEach(node -> forget(node.ino, 1));
        }
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
            rq.replyOffset(whence == 3 ? offset : node.size);
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
