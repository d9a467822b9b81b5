package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FuseSession;
import io.tesserafs.fuse.libc.LibcNative;
import io.tesserafs.fuse.libc.NativeCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Notifications to the kernel, sent on the caller's thread. */
final class Session implements FuseSession {
    private static final int MINOR_INC_EPOCH = 44;
    private static final int BODY = HeaderLayout.OUT_LENGTH;

    private final Connection connection;
    private final Channel channel;
    private final @Nullable WritebackBarrier barrier;

    /** @param files of the mount */
    Session(Connection connection, Channel channel, InodeFiles files) {
        this.connection = connection;
        this.channel = channel;
        this.barrier = WritebackBarrier.ifNeeded(files, this, connection.negotiated);
    }

    @Override
    public int minor() {
        return connection.negotiated.minor();
    }

    @Override
    public int maxWriteBytes() {
        return connection.negotiated.maxWriteBytes();
    }

    @Override
    public void invalidateInode(long ino, long offset, long length) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = notification(arena, NotifyLayout.CODE_INVAL_INODE, NotifyLayout.INODE_LENGTH);
            Wire.putU64(out, BODY + NotifyLayout.INODE_INO, ino);
            Wire.putU64(out, BODY + NotifyLayout.INODE_OFF, offset);
            Wire.putU64(out, BODY + NotifyLayout.INODE_LEN, length);
            check("invalidate inode " + ino, send(arena, out));
        }
    }

    @Override
    public void awaitWriteback(long ino, long from, long to) {
        if (barrier != null) {
            barrier.await(ino, from, to);
        }
    }

    @Nullable
    WritebackBarrier barrier() {
        return barrier;
    }

    @Override
    public boolean mapsDirectHandles() {
        return connection.negotiated.has(InitLayout.DIRECT_IO_ALLOW_MMAP);
    }

    @Override
    public void extend(long ino, long size) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = notification(arena, NotifyLayout.CODE_STORE, NotifyLayout.STORE_LENGTH + 1);
            Wire.putU64(out, BODY + NotifyLayout.STORE_NODEID, ino);
            Wire.putU64(out, BODY + NotifyLayout.STORE_OFFSET, size - 1);
            Wire.putU32(out, BODY + NotifyLayout.STORE_SIZE, 1);
            check("extend inode " + ino, send(arena, out));
        }
    }

    @Override
    public void invalidateEntry(long parent, byte[] name) {
        try (Arena arena = Arena.ofConfined()) {
            int length = NotifyLayout.ENTRY_LENGTH + name.length + 1;
            MemorySegment out = notification(arena, NotifyLayout.CODE_INVAL_ENTRY, length);
            Wire.putU64(out, BODY + NotifyLayout.ENTRY_PARENT, parent);
            Wire.putU32(out, BODY + NotifyLayout.ENTRY_NAMELEN, name.length);
            Wire.putBytes(out, BODY + NotifyLayout.ENTRY_LENGTH, name);
            check("invalidate an entry of " + parent, send(arena, out));
        }
    }

    @Override
    public boolean canIncrementEpoch() {
        return connection.negotiated.minor() >= MINOR_INC_EPOCH;
    }

    @Override
    public boolean incrementEpoch() {
        if (!canIncrementEpoch()) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            int errno = send(arena, notification(arena, NotifyLayout.CODE_INC_EPOCH, 0));
            check("increment the epoch", errno);
            return true;
        }
    }

    private static MemorySegment notification(Arena arena, int code, int bodyBytes) {
        int length = HeaderLayout.OUT_LENGTH + bodyBytes;
        MemorySegment out = arena.allocate(length, Long.BYTES);
        Wire.putU32(out, HeaderLayout.OUT_LEN, length);
        Wire.putU32(out, HeaderLayout.OUT_ERROR, code);
        return out;
    }

    private int send(Arena arena, MemorySegment out) {
        connection.stats.notifications.increment();
        return connection.sendShared(channel, LibcNative.newCapture(arena), out.address(), out.byteSize());
    }

    private static void check(String what, int errno) {
        switch (errno) {
            case 0, Errno.ENOENT, Errno.ENOTDIR -> {
                // Done; or the kernel does not cache what is to be invalidated.
            }
            case Errno.ENODEV, Errno.ENOTCONN -> {
                // Unmounted: nothing is cached any more.
            }
            default -> throw new NativeCallException(what, errno);
        }
    }
}
