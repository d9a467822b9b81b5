package io.tesserafs.fuse.transport;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.libc.LibcNative;
import io.tesserafs.fuse.libc.NativeCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** System calls on /dev/fuse. Those that may block are ordinary downcalls, never critical ones. */
public final class DeviceNative {
    private static final int O_RDWR = 2;
    private static final int O_CLOEXEC = 0x80000;
    /** _IOR(229, 0, uint32_t): makes a freshly opened device another way into the connection of the given descriptor. */
    private static final long FUSE_DEV_IOC_CLONE = 0x8004e500L;

    private static final MethodHandle OPEN = LibcNative.bind(
            "open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle CLOSE = LibcNative.bind("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle READ =
            LibcNative.bind("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle WRITE =
            LibcNative.bind("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle WRITEV =
            LibcNative.bind("writev", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle IOCTL = LibcNative.bind(
            "ioctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS), Linker.Option.firstVariadicArg(2));

    private DeviceNative() {}

    /** Opens the device; the descriptor is not inherited by child processes. */
    public static int open(String path) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            int fd = (int) OPEN.invokeExact(capture, arena.allocateFrom(path), O_RDWR | O_CLOEXEC);
            if (fd < 0) {
                throw new NativeCallException("open(" + path + ")", LibcNative.errno(capture));
            }
            return fd;
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** Closes {@code fd}; it is gone whatever the outcome. */
    public static void close(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            int result = (int) CLOSE.invokeExact(capture, fd);
            // EINTR: Linux has released the descriptor by then.
            if (result != 0 && LibcNative.errno(capture) != Errno.EINTR) {
                throw new NativeCallException("close(" + fd + ")", LibcNative.errno(capture));
            }
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** A second descriptor for the connection of {@code fd}, with a queue of answers of its own. */
    static int cloneOf(int fd, String devicePath) {
        int clone = open(devicePath);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            int result = (int) IOCTL.invokeExact(capture, clone, FUSE_DEV_IOC_CLONE, arena.allocateFrom(JAVA_INT, fd));
            if (result != 0) {
                throw new NativeCallException("ioctl(FUSE_DEV_IOC_CLONE)", LibcNative.errno(capture));
            }
            return clone;
        } catch (Throwable t) {
            close(clone);
            throw LibcNative.unexpected(t);
        }
    }

    /** Bytes read, or -1 with errno in {@code capture}. */
    static long read(MemorySegment capture, int fd, long address, long length) {
        try {
            return (long) READ.invokeExact(capture, fd, address, length);
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** 0, or the errno. The device takes an answer whole or not at all. */
    static int write(MemorySegment capture, int fd, long address, long length) {
        try {
            long written = (long) WRITE.invokeExact(capture, fd, address, length);
            return written >= 0 ? 0 : LibcNative.errno(capture);
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** 0, or the errno. {@code iovecs} is the address of {@code count} struct iovec. */
    static int writev(MemorySegment capture, int fd, long iovecs, int count) {
        try {
            long written = (long) WRITEV.invokeExact(capture, fd, iovecs, count);
            return written >= 0 ? 0 : LibcNative.errno(capture);
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }
}
