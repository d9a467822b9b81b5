package io.tesserafs.node.namespace;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The state of a volume's namespace, changed only by applying {@link Mutations}: by the same code when an operation happens, when the log is
 * replayed and when a checkpoint is read. Owner's lock held by all callers.
 */
final class Tables {
    /** Told of every extent that appears or goes, so that space follows the extent maps. */
    interface SpaceListener {
        void added(long block, long packed);

        void dropped(long block, long packed);
    }

    /** A record that cannot be applied: damage that a checksum did not see, or a bug. */
    static final class BadMutationException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        BadMutationException(String message) {
            super(message);
        }
    }

    private final Long2ObjectHashMap<Inode> inodes = new Long2ObjectHashMap<>(1024, 0.6f);
    private final AppliedRequests requests = new AppliedRequests();
    private @Nullable SpaceListener space;
    /** While a fuzzy checkpoint is caught up with, a mutation may meet an inode that a later record removed. */
    private boolean lenient;

    private long nextIno = VolumeService.ROOT + 1;
    private long nextBlock = 1;

    void listener(@Nullable SpaceListener listener) {
        space = listener;
    }

    void lenient(boolean on) {
        lenient = on;
    }

    long nextIno() {
        return nextIno;
    }

    long nextBlock() {
        return nextBlock;
    }

    @Nullable
    Inode inode(long ino) {
        return inodes.get(ino);
    }

    AppliedRequests requests() {
        return requests;
    }

    int inodeCount() {
        return inodes.size();
    }

    void forEach(Consumer<Inode> visitor) {
        inodes.forEachLong((ino, inode) -> visitor.accept(inode));
    }

    /** Applies every mutation of the buffer, in order. */
    void apply(ByteBuffer in) {
        try {
            while (in.hasRemaining()) {
                applyOne(in);
            }
        } catch (BufferUnderflowException e) {
            throw new BadMutationException("a mutation ends before its fields do");
        }
    }

    /** Applies the mutations that are complete; the buffer then stands at the first that is not. For streams cut at arbitrary places. */
    void applyComplete(ByteBuffer in) {
        int done = in.position();
        try {
            while (in.hasRemaining()) {
                applyOne(in);
                done = in.position();
            }
        } catch (BufferUnderflowException e) {
            in.position(done); // mutations are absolute: the part that was applied is applied again
        }
    }

    /** Numbers of all inodes, in no order. */
    long[] inodeNumbers() {
        long[] numbers = new long[inodes.size()];
        int[] count = {0};
        inodes.forEachLong((ino, inode) -> numbers[count[0]++] = ino);
        return numbers;
    }

    private void applyOne(ByteBuffer in) {
        int op = in.get();
        switch (op) {
            case Mutations.PUT_INODE -> putInode(in);
            case Mutations.SET_ATTR -> setAttr(in);
            case Mutations.DEL_INODE -> deleteInode(in.getLong());
            case Mutations.PUT_ENTRY -> putEntry(in);
            case Mutations.DEL_ENTRY -> deleteEntry(in);
            case Mutations.PUT_EXTENT -> putExtent(in);
            case Mutations.DEL_EXTENTS -> deleteExtents(in);
            case Mutations.PUT_SYMLINK -> {
                Inode inode = need(in.getLong());
                byte[] target = bytes(in, in.getShort() & 0xFFFF);
                if (inode != null) {
                    inode.body = target;
                }
            }
            case Mutations.PUT_XATTR -> {
                Inode inode = need(in.getLong());
                byte[] name = bytes(in, in.getShort() & 0xFFFF);
                byte[] value = bytes(in, in.getInt());
                if (inode != null) {
                    inode.xattrsForChange().put(new XattrName(name), value);
                }
            }
            case Mutations.DEL_XATTR -> {
                Inode inode = need(in.getLong());
                byte[] name = bytes(in, in.getShort() & 0xFFFF);
                if (inode != null && inode.xattrs != null) {
                    inode.xattrs.remove(new XattrName(name));
                    inode.xattrs = inode.xattrs.isEmpty() ? null : inode.xattrs;
                }
            }
            case Mutations.NEXT_INO -> nextIno = Math.max(nextIno, in.getLong());
            case Mutations.NEXT_BLOCK -> nextBlock = Math.max(nextBlock, in.getLong());
            case Mutations.SET_PARENT -> setParent(in);
            case Mutations.REQUEST -> request(in);
            case Mutations.END_SESSION -> requests.endSession(in.getLong());
            default -> throw new BadMutationException("unknown mutation " + op);
        }
    }

    private void putInode(ByteBuffer in) {
        long ino = in.getLong();
        Inode inode = inodes.get(ino);
        if (inode == null) {
            if (ino <= 0) {
                throw new BadMutationException("inode number " + ino);
            }
            inode = new Inode(ino);
            inodes.put(ino, inode);
        }
        inode.mode = in.getInt();
        inode.nlink = in.getInt();
        inode.uid = in.getInt();
        inode.gid = in.getInt();
        inode.rdev = in.getInt();
        inode.size = in.getLong();
        inode.atimeNs = in.getLong();
        inode.mtimeNs = in.getLong();
        inode.ctimeNs = in.getLong();
        inode.btimeNs = in.getLong();
        nextIno = Math.max(nextIno, ino + 1);
        if (inode.isDirectory() && inode.body == null) {
            inode.body = new Directory(ino);
        }
    }

    private void setAttr(ByteBuffer in) {
        long ino = in.getLong();
        int mask = in.getInt();
        if ((mask & ~Mutations.ALL_FIELDS) != 0) {
            throw new BadMutationException("attribute mask " + mask);
        }
        Inode known = need(ino);
        Inode inode = known == null ? new Inode(ino) : known; // fields must be read in any case
        if ((mask & Mutations.MODE) != 0) {
            inode.mode = in.getInt();
        }
        if ((mask & Mutations.NLINK) != 0) {
            inode.nlink = in.getInt();
        }
        if ((mask & Mutations.UID) != 0) {
            inode.uid = in.getInt();
        }
        if ((mask & Mutations.GID) != 0) {
            inode.gid = in.getInt();
        }
        if ((mask & Mutations.SIZE) != 0) {
            inode.size = in.getLong();
        }
        if ((mask & Mutations.ATIME) != 0) {
            inode.atimeNs = in.getLong();
        }
        if ((mask & Mutations.MTIME) != 0) {
            inode.mtimeNs = in.getLong();
        }
        if ((mask & Mutations.CTIME) != 0) {
            inode.ctimeNs = in.getLong();
        }
    }

    private void deleteInode(long ino) {
        Inode inode = inodes.remove(ino);
        if (inode == null) {
            need(ino);
            return;
        }
        ExtentMap extents = inode.extents();
        if (extents != null) {
            for (int i = 0; i < extents.count(); i++) {
                dropped(extents.blockAt(i), extents.packedAt(i));
            }
        }
    }

    private void putEntry(ByteBuffer in) {
        Inode dir = need(in.getLong());
        long cookie = in.getLong();
        long ino = in.getLong();
        byte[] name = bytes(in, in.getShort() & 0xFFFF);
        if (dir != null) {
            directory(dir).put(name, ino, cookie);
        }
    }

    private void deleteEntry(ByteBuffer in) {
        Inode dir = need(in.getLong());
        byte[] name = bytes(in, in.getShort() & 0xFFFF);
        if (dir != null && !directory(dir).remove(name) && !lenient) {
            throw new BadMutationException("directory " + dir.ino + " has no such entry to remove");
        }
    }

    private void putExtent(ByteBuffer in) {
        Inode inode = need(in.getLong());
        long tile = in.getLong();
        long block = in.getLong();
        long packed = in.getLong();
        int durable = in.getInt();
        if (tile < 0
                || tile >= ExtentMap.MAX_TILES
                || !ExtentMap.wellFormed(packed)
                || durable < 0
                || durable > ExtentMap.validBytes(packed)) {
            throw new BadMutationException("extent of tile " + tile + ", packed " + Long.toHexString(packed));
        }
        if (inode == null) {
            return;
        }
        ExtentMap extents = inode.extents();
        if (extents == null) {
            extents = new ExtentMap();
            inode.body = extents;
        }
        int at = extents.find(tile);
        long oldBlock = at < 0 ? 0 : extents.blockAt(at);
        long oldPacked = at < 0 ? 0 : extents.packedAt(at);
        boolean samePlace = at >= 0
                && oldBlock == block
                && ExtentMap.offset(oldPacked) == ExtentMap.offset(packed)
                && ExtentMap.capacity(oldPacked) == ExtentMap.capacity(packed);
        extents.put(tile, block, packed, durable);
        if (!samePlace) {
            inode.blocks += ExtentMap.capacity(packed) / 512;
            if (space != null) {
                space.added(block, packed);
            }
            if (at >= 0) {
                inode.blocks -= ExtentMap.capacity(oldPacked) / 512;
                dropped(oldBlock, oldPacked);
            }
        }
    }

    private void deleteExtents(ByteBuffer in) {
        Inode inode = need(in.getLong());
        long from = in.getLong();
        long to = in.getLong();
        ExtentMap extents = inode == null ? null : inode.extents();
        if (inode == null || extents == null || from >= to) {
            return;
        }
        for (int i = extents.ceiling(from); i < extents.count() && extents.tileAt(i) < to; i++) {
            inode.blocks -= ExtentMap.capacity(extents.packedAt(i)) / 512;
            dropped(extents.blockAt(i), extents.packedAt(i));
        }
        extents.remove(from, to);
        if (extents.count() == 0) {
            inode.body = null;
        }
    }

    private void setParent(ByteBuffer in) {
        Inode dir = need(in.getLong());
        long parent = in.getLong();
        long nextCookie = in.getLong();
        if (dir != null) {
            Directory directory = directory(dir);
            directory.parent(parent);
            directory.nextCookieAtLeast(nextCookie);
        }
    }

    private void request(ByteBuffer in) {
        long session = in.getLong();
        long number = in.getLong();
        long answeredBelow = in.getLong();
        Applied applied = new Applied(in.getLong(), in.getInt());
        if (number < 1 || answeredBelow > number || applied.ino() < 0) {
            throw new BadMutationException("request " + number + ", answered below " + answeredBelow);
        }
        requests.put(session, number, answeredBelow, applied);
    }

    private void dropped(long block, long packed) {
        if (space != null) {
            space.dropped(block, packed);
        }
    }

    private @Nullable Inode need(long ino) {
        Inode inode = inodes.get(ino);
        if (inode == null && !lenient) {
            throw new BadMutationException("no inode " + ino);
        }
        return inode;
    }

    private static Directory directory(Inode inode) {
        Directory directory = inode.directory();
        if (directory == null) {
            throw new BadMutationException("inode " + inode.ino + " is not a directory");
        }
        return directory;
    }

    private static byte[] bytes(ByteBuffer in, int length) {
        if (length < 0 || length > VolumeService.MAX_XATTR_BYTES) {
            throw new BadMutationException("length " + length);
        }
        if (length > in.remaining()) {
            throw new BufferUnderflowException();
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        return bytes;
    }
}
