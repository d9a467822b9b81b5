package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FuseSession;
import io.tesserafs.fuse.OpenFlags;
import io.tesserafs.fuse.libc.LibcNative;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for WRITEs of mapped pages that were under way when the pages were invalidated.
 *
 * <p>Linux before 6.16 copies a dirty page, calls it clean, and sends the copy (fuse_writepages_fill in fs/fuse/file.c). So
 * FUSE_NOTIFY_INVAL_INODE may return, with the page gone, while its bytes wait in a queue; whoever then gives the range to another node has
 * them arrive after that one's. What the kernel does wait with is reading such a page in again (fuse_wait_on_page_writeback), before
 * it sends the READ. So the file is opened once more, by its handle through the mount itself, and its range read: pages that are
 * there were read in by somebody, and where none are a READ arrives here, which says that nothing is under way there and is answered with an
 * error, so that nothing gets cached.
 *
 * <p>Requests that come of this are recognised by their thread, before the file has a handle, or by their handle, and answered here: the
 * filesystem might have them wait for the very tokens that are being given up. Thread-safe.
 */
final class WritebackBarrier {
    private static final Logger LOG = LoggerFactory.getLogger(WritebackBarrier.class);

    /** NOTIFY_INC_EPOCH came with the same kernel as the page that stays until it is written: 6.16. */
    private static final int MINOR_NOT_NEEDED = 44;
    /** FOPEN_NOFLUSH: with older ones closing takes the lock of the inode, which a write that waits for its token may have. */
    private static final int MINOR_NOFLUSH = 35;

    /** Linux 6.9: an inode is either read and written through the page cache, or has parallel direct writes. */
    private static final int MINOR_IO_MODES = 40;

    private static final int PAGE = LibcNative.PAGE_BYTES;

    /** A file opened by a barrier. No handle of a filesystem is negative. */
    private static final class Probe {
        private final long handle;
        private final long ino;
        /** The root directory is ours, and not that of what was mounted above or is seen again below. */
        private volatile boolean foundMount;

        private volatile boolean opened;
        /** Up to there, from where the last read began, READs have arrived. */
        private volatile long covered;

        Probe(long handle, long ino) {
            this.handle = handle;
            this.ino = ino;
        }
    }

    private final InodeFiles files;
    private final FuseSession session;
    private final boolean closesWithoutFlush;
    private final int maxBytes;
    private final AtomicLong lastHandle = new AtomicLong(Long.MIN_VALUE);
    private final AtomicBoolean complained = new AtomicBoolean();
    private final ConcurrentMap<Integer, Probe> opening = new ConcurrentHashMap<>();
    private final ConcurrentMap<Long, Probe> reading = new ConcurrentHashMap<>();

    private WritebackBarrier(InodeFiles files, FuseSession session, Negotiated negotiated) {
        this.files = files;
        this.session = session;
        this.closesWithoutFlush = negotiated.minor() >= MINOR_NOFLUSH;
        this.maxBytes = negotiated.maxWriteBytes();
    }

    /**
     * Open flags to do without. Since 6.9 a file is opened for the page cache only when parallel direct writes of it are over, and those may wait
     * for the tokens that are being given up, or for their own invalidation of what is cached.
     */
    static int openFlagsToAvoid(int minor) {
        return minor >= MINOR_IO_MODES && minor < MINOR_NOT_NEEDED ? OpenFlags.PARALLEL_DIRECT_WRITES : 0;
    }

    /** Null if the kernel needs none. */
    static @Nullable WritebackBarrier ifNeeded(InodeFiles files, FuseSession session, Negotiated negotiated) {
        return negotiated.minor() < MINOR_NOT_NEEDED ? new WritebackBarrier(files, session, negotiated) : null;
    }

    /** See {@link FuseSession#awaitWriteback}. */
    void await(long ino, long from, long to) {
        Probe probe = new Probe(lastHandle.incrementAndGet(), ino);
        int thread = files.threadId();
        opening.put(thread, probe);
        int fd;
        try {
            do {
                fd = files.open(ino);
            } while (fd == -Errno.EINTR);
        } finally {
            opening.remove(thread);
        }
        if (fd == -Errno.ESTALE && probe.foundMount) {
            return; // the kernel has dropped the inode, which it does when all is written
        }
        if (fd < 0) {
            complain(ino, -fd);
            return;
        }
        reading.put(probe.handle, probe);
        try {
            if (probe.opened) {
                read(probe, fd, from & -PAGE, to);
            } else {
                complain(ino, "the mount point shows another file system");
            }
        } finally {
            reading.remove(probe.handle);
            close(fd);
        }
    }

    private void read(Probe probe, int fd, long from, long to) {
        long at = from;
        while (at < to) {
            probe.covered = at;
            long got = files.read(fd, at, (int) Math.min(to - at, maxBytes));
            if (got == 0) {
                return; // the end of the file
            }
            if (got > 0) {
                at += got;
            } else if (got == -Errno.EIO) {
                at = Math.max(probe.covered, (at & -PAGE) + PAGE);
            } else if (got != -Errno.EINTR) {
                complain(probe.ino, (int) -got);
                return;
            }
        }
    }

    private void close(int fd) {
        if (closesWithoutFlush) {
            files.close(fd);
        } else {
            Thread.ofPlatform().name("fuse-barrier-close").daemon().start(() -> files.close(fd));
        }
    }

    private void complain(long ino, int errno) {
        switch (errno) {
            case Errno.ENOTCONN, Errno.ECONNABORTED, Errno.ENODEV -> {
                // The mount has ended, and with it all that was under way.
            }
            default -> complain(ino, LibcNative.describe(errno));
        }
    }

    /** The mount is of use without, if files are not mapped for writing on several nodes at once. */
    private void complain(long ino, String why) {
        if (complained.compareAndSet(false, true)) {
            LOG.error(
                    "Pages of inode {} that the kernel is writing cannot be waited for ({}): what is stored through mappings here may overwrite"
                            + " newer bytes of other nodes. Run the daemon as root, or use Linux 6.16 or later",
                    ino,
                    why);
        }
    }

    /** Answers a request of a barrier's own; false if it is not one. */
    boolean answer(FuseRequest rq, int opcode, long node, Body body) {
        return switch (opcode) {
            case Opcode.READ -> answerRead(rq, body);
            case Opcode.RELEASE, Opcode.RELEASEDIR, Opcode.FLUSH -> answerClose(rq, body);
            case Opcode.GETATTR -> answerAttributes(rq, node, body);
            case Opcode.OPEN, Opcode.OPENDIR -> answerOpen(rq, opcode, node);
            default -> false;
        };
    }

    private boolean answerRead(FuseRequest rq, Body body) {
        long handle = body.u64(FileLayout.READ_FH);
        if (handle >= 0) {
            return false;
        }
        Probe probe = reading.get(handle);
        if (probe != null) {
            long from = body.offset(FileLayout.READ_OFFSET);
            long to = from + body.size(FileLayout.READ_SIZE, maxBytes);
            if (from <= probe.covered && to > probe.covered) {
                probe.covered = to;
            }
        }
        rq.replyError(Errno.EIO);
        return true;
    }

    private static boolean answerClose(FuseRequest rq, Body body) {
        // The handle is the first field of each.
        if (body.u64(FileLayout.RELEASE_FH) >= 0) {
            return false;
        }
        rq.replyOk();
        return true;
    }

    /**
     * For a check of permissions, or for a read that reaches beyond the end of the file. Attributes of requests that are older than an invalidation
     * are not believed, so only the type of these counts, and the kernel goes on with those that it has.
     */
    private boolean answerAttributes(FuseRequest rq, long node, Body body) {
        boolean byHandle = (body.u32(AttrLayout.GETATTR_FLAGS) & AttrLayout.FLAG_GETATTR_FH) != 0
                && body.u64(AttrLayout.GETATTR_FH) < 0;
        Probe probe = byHandle || opening.isEmpty() ? null : opening.get(rq.pid());
        if (!byHandle && probe == null) {
            return false;
        }
        boolean isFile = probe == null || node == probe.ino;
        session.invalidateInode(node, -1, 0);
        rq.replyAttr(isFile ? TypeOnly.file(node) : TypeOnly.directory(node), 0);
        return true;
    }

    private boolean answerOpen(FuseRequest rq, int opcode, long node) {
        Probe probe = opening.isEmpty() ? null : opening.get(rq.pid());
        if (probe == null) {
            return false;
        }
        if (opcode == Opcode.OPENDIR) {
            probe.foundMount = true;
        } else if (node == probe.ino) {
            probe.opened = true;
        }
        rq.replyOpen(probe.handle, OpenFlags.KEEP_CACHE | OpenFlags.NOFLUSH);
        return true;
    }
}
