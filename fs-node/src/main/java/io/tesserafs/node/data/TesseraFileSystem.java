package io.tesserafs.node.data;

import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.TokenClient;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileLock;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.FuseSession;
import io.tesserafs.fuse.Request;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A volume as this node's kernel sees it: metadata by calls to the volume's owner, data in memory of bricks under tokens. Requests whose token is
 * held and that wait for no device are served on the reader thread that received them.
 */
public final class TesseraFileSystem implements FileSystem {
    private static final Logger LOG = LoggerFactory.getLogger(TesseraFileSystem.class);
    private static final int NAME_MAX = 255;
    /** Inodes named in one log message. */
    private static final int MAX_LISTED = 20;

    private final NodeVolume volume;
    private final Committer committer;
    private final EntryHandlers entries;
    private final AttrHandlers attributes;
    private final OpenHandlers opens;
    private final IoHandlers io;
    private final WriteHandlers writes;
    private final LockHandlers locks;
    private final Recalls recalls;

    public TesseraFileSystem(
            VolumeService service, TokenClient tokens, LockService locks, BrickSet bricks, DataOptions options) {
        this.volume = new NodeVolume(service, tokens, bricks, options);
        this.recalls = new Recalls(volume);
        this.committer = new Committer(volume);
        this.entries = new EntryHandlers(volume);
        this.attributes = new AttrHandlers(volume);
        this.opens = new OpenHandlers(volume, attributes);
        this.io = new IoHandlers(volume);
        this.locks = new LockHandlers(locks, volume::locked, new LockHandlers.Opened() {
            @Override
            public @Nullable OpenFile find(long handle) {
                return volume.handles.find(handle);
            }

            @Override
            public void dropPages(long ino) {
                volume.dropPagesSoon(ino);
            }
        });
        this.writes = new WriteHandlers(volume, opens);
        tokens.onRecall(recalls);
    }

    /**
     * Whether this node is the only one with a session at the volume's owner; false at first. When it changes to false, this returns when all that the kernel
     * was told without tokens is forgotten, and only then may another node's session begin. Not from a request's thread.
     */
    public void alone(boolean alone) {
        Company company = volume.names.company();
        if (alone) {
            company.startBeingAlone();
        } else if (company.isAlone()) {
            company.stopBeingAlone();
            doubtWithoutTokens();
            recalls.forgetAll();
        }
    }

    private void doubtWithoutTokens() {
        for (FileState file : volume.files.all()) {
            if (volume.files.retain(file)) {
                try {
                    volume.access.doubtWithoutTokens(file);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IllegalStateException("interrupted while the node stopped being alone", e);
                } finally {
                    volume.release(file);
                }
            }
        }
    }

    /** Another node took an inode's last name: the owner is told when nothing here refers to it any more, at once if that is so. May block. */
    public void orphaned(long ino) {
        volume.orphan(ino);
        volume.reapIfUnused(ino);
    }

    /**
     * The session with the owner is over: what was not committed is lost, and the next fsync of every file it belonged to says so, be it opened by then or not. Tokens were ended, and with
     * them the kernel's caches of what they covered. Not from a request's thread.
     */
    public void sessionLost() {
        volume.names.company().stopBeingAlone();
        List<Long> unsaved = new ArrayList<>();
        for (FileState file : volume.files.all()) {
            if (volume.files.retain(file)) {
                recalls.awaitWriteback(file, 0, FileTokens.TO_END); // or it would come under the next session's token
                if (volume.dropUnsaved(file)) {
                    unsaved.add(file.ino);
                }
                volume.release(file);
            }
        }
        if (!unsaved.isEmpty()) {
            // Of files that were closed already perhaps nobody calls fsync any more.
            LOG.warn(
                    "the session is over, and with it what was not saved of {} files, first of inodes {}",
                    unsaved.size(),
                    unsaved.subList(0, Math.min(unsaved.size(), MAX_LISTED)));
        }
        recalls.forgetAll();
    }

    /**
     * Moves the extents of a regular file to a brick, from a tile on, while it is used. May wait for nodes that use the file, as long as it takes to fence one. Not
     * from a request's thread.
     *
     * @param untilNs as {@link System#nanoTime}: when to come back, though not before something was moved
     * @throws FsException EINVAL, ENOENT, ENOSPC if the brick is full, EIO if a brick or the owner is away; what was moved until then has moved
     */
    public Relocated relocate(long ino, BrickId to, long fromTile, long untilNs) throws FsException {
        return Relocation.run(volume, ino, to, fromTile, untilNs);
    }

    /** For tests: whether a commit of the inode waits for another. */
    boolean isCommitContended(long ino) {
        FileState file = volume.files.find(ino);
        return file != null && file.commitLock.hasQueuedThreads();
    }

    public DataCounters counters() {
        return volume.counters;
    }

    /** Open handles, files known, inodes the kernel refers to: for status reports. */
    public long[] population() {
        return new long[] {volume.handles.count(), volume.files.all().size(), volume.references.inodes()};
    }

    @Override
    public void started(FuseSession fuse) {
        volume.session = fuse;
        committer.start();
    }

    @Override
    public void stopped() {
        volume.movers.end();
        volume.session = null;
        volume.lateCommits.stop();
        committer.stop();
        volume.shutdown();
    }

    @Override
    public void lookup(Request rq, long parent, byte[] name) {
        entries.lookup(rq, parent, name);
    }

    @Override
    public void forget(long ino, long count) {
        volume.forget(ino, count);
    }

    @Override
    public void getattr(Request rq, long ino, long fh) {
        attributes.getattr(rq, ino);
    }

    @Override
    public void setattr(Request rq, long ino, SetAttr change) {
        attributes.setattr(rq, ino, change);
    }

    @Override
    public void readlink(Request rq, long ino) {
        volume.serve(rq, () -> rq.replyBytes(volume.service.readlink(ino)));
    }

    @Override
    public void symlink(Request rq, long parent, byte[] name, byte[] target) {
        entries.create(rq, parent, name, InodeAttr.S_IFLNK | 0777, 0, target);
    }

    @Override
    public void mknod(Request rq, long parent, byte[] name, int mode, int rdev) {
        int typed = (mode & InodeAttr.S_IFMT) == 0 ? mode | InodeAttr.S_IFREG : mode;
        entries.create(rq, parent, name, typed, rdev, null);
    }

    @Override
    public void mkdir(Request rq, long parent, byte[] name, int mode) {
        entries.create(rq, parent, name, InodeAttr.S_IFDIR | mode & ~InodeAttr.S_IFMT, 0, null);
    }

    @Override
    public void unlink(Request rq, long parent, byte[] name) {
        entries.unlink(rq, parent, name);
    }

    @Override
    public void rmdir(Request rq, long parent, byte[] name) {
        entries.rmdir(rq, parent, name);
    }

    @Override
    public void rename(Request rq, long parent, byte[] name, long newParent, byte[] newName, int flags) {
        entries.rename(rq, parent, name, newParent, newName, flags);
    }

    @Override
    public void link(Request rq, long ino, long newParent, byte[] newName) {
        entries.link(rq, ino, newParent, newName);
    }

    @Override
    public void open(Request rq, long ino, int flags, boolean killSuidGid) {
        opens.open(rq, ino, flags, killSuidGid);
    }

    @Override
    public void create(Request rq, long parent, byte[] name, int mode, int flags, boolean killSuidGid) {
        opens.create(rq, parent, name, mode, flags, killSuidGid);
    }

    @Override
    public void tmpfile(Request rq, long parent, int mode, int flags) {
        opens.tmpfile(rq, parent, mode, flags);
    }

    @Override
    public void read(Request rq, long ino, long fh, long offset, int size, boolean direct) {
        io.read(rq, ino, fh, offset, size, direct);
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
        writes.write(rq, ino, fh, offset, payload, direct, fromCache, killSuidGid, openFlags);
    }

    @Override
    public void flush(Request rq, long ino, long fh, long lockOwner) {
        locks.flush(volume, rq, ino, lockOwner, () -> opens.flush(rq, fh));
    }

    @Override
    public void release(Request rq, long ino, long fh, @Nullable Long flockOwner) {
        locks.released(ino, fh, flockOwner);
        opens.release(rq, fh);
    }

    @Override
    public boolean handlesLocks() {
        return true;
    }

    @Override
    public void getlk(Request rq, long ino, long fh, FileLock lock) {
        locks.getlk(rq, ino, lock);
    }

    @Override
    public void setlk(Request rq, long ino, long fh, FileLock lock, boolean wait) {
        locks.setlk(rq, ino, fh, lock, wait);
    }

    @Override
    public void fsync(Request rq, long ino, long fh, boolean dataOnly) {
        opens.fsync(rq, fh);
    }

    @Override
    public void opendir(Request rq, long ino, int flags) {
        entries.opendir(rq, ino);
    }

    @Override
    public void readdir(Request rq, long ino, long fh, long cookie, int size, boolean plus) {
        entries.readdir(rq, ino, fh, cookie, size, plus);
    }

    @Override
    public void releasedir(Request rq, long ino, long fh) {
        entries.releasedir(rq, fh);
    }

    @Override
    public void fsyncdir(Request rq, long ino, long fh, boolean dataOnly) {
        entries.fsyncdir(rq);
    }

    @Override
    public void statfs(Request rq, long ino) {
        VolumeService.Statistics s = volume.service.statistics();
        rq.replyStatfs(
                s.blocks(),
                s.free(),
                s.available(),
                s.inodes() + s.freeInodes(),
                s.freeInodes(),
                s.blockBytes(),
                NAME_MAX,
                s.blockBytes());
    }

    @Override
    public void setxattr(Request rq, long ino, byte[] name, byte[] value, int flags, boolean clearSgid) {
        attributes.setxattr(rq, ino, name, value, flags);
    }

    @Override
    public void getxattr(Request rq, long ino, byte[] name, int size) {
        attributes.getxattr(rq, ino, name, size);
    }

    @Override
    public void listxattr(Request rq, long ino, int size) {
        attributes.listxattr(rq, ino, size);
    }

    @Override
    public void removexattr(Request rq, long ino, byte[] name) {
        attributes.removexattr(rq, ino, name);
    }

    @Override
    public void fallocate(Request rq, long ino, long fh, long offset, long length, int mode) {
        io.fallocate(rq, ino, fh, offset, length, mode);
    }

    @Override
    public void lseek(Request rq, long ino, long fh, long offset, int whence) {
        io.lseek(rq, ino, fh, offset, whence);
    }

    @Override
    public void copyFileRange(
            Request rq, long ino, long fh, long offset, long outIno, long outFh, long outOffset, long length) {
        io.copyFileRange(rq, ino, fh, offset, outIno, outFh, outOffset, length);
    }

    @Override
    public void ioctl(Request rq, long ino, long fh, int command, @Nullable MemorySegment in, int outSize) {
        rq.replyError(Errno.ENOTTY);
    }

    @Override
    public void syncfs(Request rq, long ino) {
        volume.serveFlushing(rq, () -> {
            if (!committer.saveAll(NodeVolume.SAVE_PATIENCE_NS)) {
                throw new FsException(Errno.EIO, "not everything could be made durable");
            }
            volume.service.sync();
            rq.replyOk();
        });
    }
}
