package io.tesserafs.node.namespace;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The persistent form of a change: a sequence of absolute mutations, little-endian, used by log records and checkpoints alike.
 * Absolute means that a mutation states what shall be, not what to add, so that replay over a newer checkpoint converges.
 *
 * <pre>
 * PUT_INODE    1: u64 ino, u32 mode nlink uid gid rdev, u64 size atime mtime ctime btime
 * SET_ATTR     2: u64 ino, u32 mask, then the fields of the mask in bit order (mode nlink uid gid: u32; size and times: u64)
 * DEL_INODE    3: u64 ino
 * PUT_ENTRY    4: u64 dir, u64 cookie, u64 ino, u16 length, name
 * DEL_ENTRY    5: u64 dir, u16 length, name
 * PUT_EXTENT   6: u64 ino, u64 tile, u64 block, u64 packed (see ExtentMap), u32 durable bytes
 * DEL_EXTENTS  7: u64 ino, u64 from tile, u64 to tile (exclusive; Long.MAX_VALUE: all)
 * PUT_SYMLINK  8: u64 ino, u16 length, target
 * PUT_XATTR    9: u64 ino, u16 length, name, u32 length, value
 * DEL_XATTR   10: u64 ino, u16 length, name
 * NEXT_INO    11: u64 next inode number
 * NEXT_BLOCK  12: u64 next block sequence that was never granted
 * SET_PARENT  13: u64 dir, u64 parent, u64 next cookie (0: leave)
 * REQUEST     14: u64 session, u64 number, u64 answered below, u64 ino (0: none), u32 nlink: the request that made this change
 * END_SESSION 15: u64 session, whose requests are not repeated any more
 * </pre>
 */
final class Mutations {
    static final int PUT_INODE = 1;
    static final int SET_ATTR = 2;
    static final int DEL_INODE = 3;
    static final int PUT_ENTRY = 4;
    static final int DEL_ENTRY = 5;
    static final int PUT_EXTENT = 6;
    static final int DEL_EXTENTS = 7;
    static final int PUT_SYMLINK = 8;
    static final int PUT_XATTR = 9;
    static final int DEL_XATTR = 10;
    static final int NEXT_INO = 11;
    static final int NEXT_BLOCK = 12;
    static final int SET_PARENT = 13;
    static final int REQUEST = 14;
    static final int END_SESSION = 15;

    /** Fields of SET_ATTR. */
    static final int MODE = 1;

    static final int NLINK = 1 << 1;
    static final int UID = 1 << 2;
    static final int GID = 1 << 3;
    static final int SIZE = 1 << 4;
    static final int ATIME = 1 << 5;
    static final int MTIME = 1 << 6;
    static final int CTIME = 1 << 7;
    static final int ALL_FIELDS = (1 << 8) - 1;

    /** Largest single mutation: an extended attribute with its name. */
    private static final int MAX_MUTATION_BYTES = VolumeService.MAX_XATTR_BYTES + 512;

    private ByteBuffer buffer = ByteBuffer.allocate(16 << 10).order(ByteOrder.LITTLE_ENDIAN);

    void clear() {
        buffer.clear();
    }

    int length() {
        return buffer.position();
    }

    boolean isEmpty() {
        return buffer.position() == 0;
    }

    /** What was written, ready to read; valid until the next write. */
    ByteBuffer view() {
        return buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN).flip();
    }

    private ByteBuffer room(int bytes) {
        if (buffer.remaining() < bytes) {
            ByteBuffer larger = ByteBuffer.allocate(
                            Math.max(buffer.capacity() * 2, buffer.position() + MAX_MUTATION_BYTES))
                    .order(ByteOrder.LITTLE_ENDIAN);
            larger.put(buffer.flip());
            buffer = larger;
        }
        return buffer;
    }

    void putInode(InodeAttr a) {
        room(72).put((byte) PUT_INODE)
                .putLong(a.ino())
                .putInt(a.mode())
                .putInt(a.nlink())
                .putInt(a.uid())
                .putInt(a.gid())
                .putInt(a.rdev())
                .putLong(a.size())
                .putLong(a.atimeNs())
                .putLong(a.mtimeNs())
                .putLong(a.ctimeNs())
                .putLong(a.btimeNs());
    }

    /** Starts a SET_ATTR; the caller appends exactly the fields of {@code mask}, in bit order, by {@link #field}. */
    Mutations setAttr(long ino, int mask) {
        room(80).put((byte) SET_ATTR).putLong(ino).putInt(mask);
        return this;
    }

    Mutations field(int value) {
        buffer.putInt(value);
        return this;
    }

    Mutations field(long value) {
        buffer.putLong(value);
        return this;
    }

    void deleteInode(long ino) {
        room(9).put((byte) DEL_INODE).putLong(ino);
    }

    void putEntry(long dir, long cookie, long ino, byte[] name) {
        room(27 + name.length)
                .put((byte) PUT_ENTRY)
                .putLong(dir)
                .putLong(cookie)
                .putLong(ino)
                .putShort((short) name.length)
                .put(name);
    }

    void deleteEntry(long dir, byte[] name) {
        room(11 + name.length)
                .put((byte) DEL_ENTRY)
                .putLong(dir)
                .putShort((short) name.length)
                .put(name);
    }

    void putExtent(long ino, long tile, long block, long packed, int durableBytes) {
        room(37).put((byte) PUT_EXTENT)
                .putLong(ino)
                .putLong(tile)
                .putLong(block)
                .putLong(packed)
                .putInt(durableBytes);
    }

    void deleteExtents(long ino, long fromTile, long toTile) {
        room(25).put((byte) DEL_EXTENTS).putLong(ino).putLong(fromTile).putLong(toTile);
    }

    void putSymlink(long ino, byte[] target) {
        room(11 + target.length)
                .put((byte) PUT_SYMLINK)
                .putLong(ino)
                .putShort((short) target.length)
                .put(target);
    }

    void putXattr(long ino, byte[] name, byte[] value) {
        room(15 + name.length + value.length)
                .put((byte) PUT_XATTR)
                .putLong(ino)
                .putShort((short) name.length)
                .put(name)
                .putInt(value.length)
                .put(value);
    }

    void deleteXattr(long ino, byte[] name) {
        room(11 + name.length)
                .put((byte) DEL_XATTR)
                .putLong(ino)
                .putShort((short) name.length)
                .put(name);
    }

    void nextIno(long next) {
        room(9).put((byte) NEXT_INO).putLong(next);
    }

    void nextBlock(long next) {
        room(9).put((byte) NEXT_BLOCK).putLong(next);
    }

    void setParent(long dir, long parent, long nextCookie) {
        room(25).put((byte) SET_PARENT).putLong(dir).putLong(parent).putLong(nextCookie);
    }

    void request(long session, long number, long answeredBelow, Applied applied) {
        room(37).put((byte) REQUEST)
                .putLong(session)
                .putLong(number)
                .putLong(answeredBelow)
                .putLong(applied.ino())
                .putInt(applied.nlink());
    }

    void endSession(long session) {
        room(9).put((byte) END_SESSION).putLong(session);
    }
}
