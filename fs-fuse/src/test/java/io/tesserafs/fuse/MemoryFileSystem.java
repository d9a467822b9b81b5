package io.tesserafs.fuse;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A filesystem in memory, to test mounts with. Namespace changes are under one lock, data under the inode's. Subclasses
 * override what a test wants to be different.
 */
public class MemoryFileSystem extends MemoryInodes {
    private static final int S_IFREG = 0x8000;
    private static final int S_IFLNK = 0xa000;
    private static final int O_EXCL = 0x80;
    /** Flags of a rename. */
    private static final int NOREPLACE = 1;

    private static final int EXCHANGE = 2;

    public final AtomicLong forgotten = new AtomicLong();
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
            if (node == null || from == null || to == null || (flags == EXCHANGE && old == null)) {
                errno = Errno.ENOENT;
            } else if (flags == NOREPLACE && old != null) {
                errno = Errno.EEXIST;
            } else if (flags == EXCHANGE && old != null) {
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
}
