package io.tesserafs.fuse.transport;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.libc.LibcNative;
import io.tesserafs.fuse.libc.NativeCallException;
import io.tesserafs.fuse.protocol.Channel;
import java.lang.foreign.MemorySegment;

/** A descriptor of /dev/fuse that belongs to a connection. Closed by the {@link DeviceTransport} that opened it. */
final class DeviceChannel implements Channel {
    private final int fd;

    DeviceChannel(int fd) {
        this.fd = fd;
    }

    int fd() {
        return fd;
    }

    @Override
    public int receive(MemorySegment capture, long address, long capacity) {
        long length = DeviceNative.read(capture, fd, address, capacity);
        if (length >= 0) {
            return (int) length;
        }
        int errno = LibcNative.errno(capture);
        return switch (errno) {
            // A signal; nothing there after all; the request was withdrawn before we could copy it.
            case Errno.EINTR, Errno.EAGAIN, Errno.ENOENT -> RETRY;
            // Unmounted, or aborted: a normal end, not an error.
            case Errno.ENODEV -> UNMOUNTED;
            default -> throw new NativeCallException("read(/dev/fuse)", errno);
        };
    }

    @Override
    public int send(MemorySegment capture, long address, long length) {
        return DeviceNative.write(capture, fd, address, length);
    }

    @Override
    public int sendGathered(MemorySegment capture, long iovecs, int count) {
        return DeviceNative.writev(capture, fd, iovecs, count);
    }
}
