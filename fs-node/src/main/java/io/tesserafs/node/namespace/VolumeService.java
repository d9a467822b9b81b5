package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BrickId;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What a node asks of a volume's owner. On the owner's own host these are plain calls into {@code VolumeOwner}; on other hosts the
 * same calls travel over the fabric. One instance per session. Thread-safe.
 *
 * <p>Every change is one transaction: checked, appended to the log, applied; when the call returns it survives the daemon's
 * death, and after {@link #sync()} the loss of power. Calls do not wait for devices, except {@link #sync()} and, when the log
 * must grow or space be reclaimed first, any change.
 *
 * <p>Times: nanoseconds since the epoch. Changes of names set mtime and ctime of directories themselves.
 */
public interface VolumeService {
    /** Whether calls may have to wait for another host. May change when the owner moves. */
    default boolean mayWait() {
        return false;
    }

    long ROOT = 1L;

    /** Longest symbolic link, bytes. */
    int MAX_SYMLINK_BYTES = 4095;

    int MAX_XATTR_BYTES = 65536;

    int MAX_NLINK = 1_000_000;

    /** Who makes an inode: owner and group of the new inode before setgid-directory rules. */
    record Creator(int uid, int gid) {}

    /** What unlink, rmdir or a replacing rename did to the inode that lost its name; nlink 0 means it is now an orphan. */
    record Unlinked(long ino, int nlink) {}

    /** Receives directory entries; returns false to stop, and the entry just offered is then not consumed. */
    interface EntrySink {
        boolean entry(byte[] name, long nextCookie, InodeAttr attr);
    }

    /** Instead of an inode number: the owner has to be asked. */
    long UNKNOWN = -1;

    /** The inode's attributes, if this node knows for certain what they are at this moment, else null. Never waits. */
    default @Nullable InodeAttr known(long ino) {
        return null;
    }

    /**
     * The inode of that name, 0 if there is no such name, or {@link #UNKNOWN} unless this node knows that for certain at this moment. Never
     * waits.
     */
    default long knownName(long parent, byte[] name) {
        return UNKNOWN;
    }

    /** Null when there is no such name. {@code name} "." and ".." are not looked up here. */
    @Nullable
    InodeAttr lookup(long parent, byte[] name) throws FsException;

    InodeAttr getattr(long ino) throws FsException;

    /** The directory's parent; the root is its own. */
    long parent(long dir) throws FsException;

    byte[] readlink(long ino) throws FsException;

    /**
     * Entries after {@code cookie} (0 = from the start), without "." and "..". Cookies are stable for as long as an entry exists
     * and start at 16; lower ones belong to the caller.
     */
    void readdir(long dir, long cookie, EntrySink sink) throws FsException;

    /** The same for a caller that wants to know the attributes of all of them afterwards, too: see {@link #known}. */
    default void readdirPlus(long dir, long cookie, EntrySink sink) throws FsException {
        readdir(dir, cookie, sink);
    }

    /** Creates a regular, special or symlink inode ({@code target} for the latter only) or a directory, by {@code mode}'s type. */
    InodeAttr create(
            long parent, byte[] name, int mode, int rdev, byte @Nullable [] target, Creator creator, long nowNs)
            throws FsException;

    /** A regular inode without a name: an orphan until linked. */
    InodeAttr createOrphan(long parent, int mode, Creator creator, long nowNs) throws FsException;

    InodeAttr link(long ino, long newParent, byte[] newName, long nowNs) throws FsException;

    Unlinked unlink(long parent, byte[] name, long nowNs) throws FsException;

    Unlinked rmdir(long parent, byte[] name, long nowNs) throws FsException;

    /** {@code flags} as rename of {@link io.tesserafs.fuse.FileSystem}. The replaced inode, or null if none was. */
    @Nullable
    Unlinked rename(long parent, byte[] name, long newParent, byte[] newName, int flags, long nowNs) throws FsException;

    /**
     * Changes mode, owner, times; clears suid/sgid as chown(2) and the kill flag ask. Not the size: see {@link #truncate}. The
     * {@code *_NOW} bits use {@code nowNs}; ctime becomes {@code nowNs} unless the CTIME bit gives it.
     */
    InodeAttr setattr(long ino, io.tesserafs.fuse.SetAttr change, long nowNs) throws FsException;

    /**
     * Sets the size and drops extents beyond it (the tile that holds the new end keeps its extent, valid bytes cut). {@code killSuidGid} clears suid/sgid.
     */
    InodeAttr truncate(long ino, long size, boolean killSuidGid, long nowNs) throws FsException;

    byte[] getxattr(long ino, byte[] name) throws FsException;

    /** Names in order of creation, each followed by NUL. */
    byte[] listxattr(long ino) throws FsException;

    /** {@code flags} as setxattr(2): 1 must not exist (EEXIST), 2 must exist (ENODATA). */
    void setxattr(long ino, byte[] name, byte[] value, int flags, long nowNs) throws FsException;

    void removexattr(long ino, byte[] name, long nowNs) throws FsException;

    /** Extents of tiles [fromTile, toTile), ascending by tile; tiles that are holes are left out. */
    List<Extent> layout(long ino, long fromTile, long toTile) throws FsException;

    /**
     * Space for one tile: the smallest slice or block that holds {@code bytes} (1..2 MiB), on {@code preferred} if it has room.
     * Reserved for this session until committed or released. Content is undefined.
     *
     * @throws FsException ENOSPC, after what can be reclaimed was
     * @throws UnavailableException there may be space, but only on bricks that could not be asked for some seconds
     */
    ExtentRef allocate(int bytes, BrickId preferred) throws FsException;

    /**
     * As {@link #allocate}, on that brick and no other.
     *
     * @throws FsException ENOSPC, though there may be space elsewhere
     * @throws UnavailableException the brick could not be asked for some seconds
     */
    ExtentRef allocateOn(BrickId brick, int bytes) throws FsException;

    /** Gives back a reservation that was not committed. */
    void release(ExtentRef unused);

    /**
     * What a node changed in a file under its EXCLUSIVE token.
     *
     * @param extents new or changed extents (a tile present before is replaced; the old ref, if another, is freed)
     * @param holes tiles whose extents go
     * @param durable true if the data of all {@code extents} was flushed before this call. After a loss of power, extents whose last
     *     commit was not durable read as zeros instead of what the memory happened to hold
     * @param size at least this, where the node wrote beyond the end; the file never shrinks by it. {@link #UNCHANGED}: no news
     * @param mtimeNs {@link #UNCHANGED}: no news. Of several nodes' times the latest counts, except that any beats one in the future
     * @param atimeNs as {@code mtimeNs}
     * @param clearSuidGid the write must also drop suid/sgid
     */
    record DataCommit(
            List<Extent> extents,
            long[] holes,
            long size,
            long mtimeNs,
            long ctimeNs,
            long atimeNs,
            boolean durable,
            boolean clearSuidGid) {
        public static final long UNCHANGED = Long.MIN_VALUE;
    }

    /**
     * Bound around a call, it is asked before the call is made again, or later than at once, because the owner was away: if what the call says has
     * become false meanwhile, it fails with EIO instead.
     */
    ScopedValue<BooleanSupplier> IF_STILL_TRUE = ScopedValue.newInstance();

    InodeAttr commit(long ino, DataCommit commit) throws FsException;

    /**
     * This session has no reference to {@code ino} any more: no kernel reference, no open handle. An orphan dies with its last one;
     * for an inode that still has names this does nothing.
     */
    void unreferenced(long ino);

    /** Returns when every change answered before the call is durable. May block on a device. */
    void sync() throws FsException;

    /**
     * @param blocks capacity in {@code blockBytes} units; {@code available} excludes what is kept for the log
     */
    record Statistics(long blocks, long free, long available, int blockBytes, long inodes, long freeInodes) {}

    Statistics statistics();
}
