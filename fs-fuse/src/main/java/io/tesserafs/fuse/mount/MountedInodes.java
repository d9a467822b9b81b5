package io.tesserafs.fuse.mount;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.tesserafs.fuse.libc.LibcNative;
import io.tesserafs.fuse.protocol.InodeFiles;
import io.tesserafs.fuse.transport.DeviceNative;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * By open_by_handle_at(2), which needs CAP_DAC_READ_SEARCH, and knows only inodes that the kernel has. The root directory is open for as long as
 * that takes, and no longer: an open file keeps a mount from being unmounted.
 */
final class MountedInodes implements InodeFiles {
    private static final int O_DIRECTORY = 0x10000;
    private static final int O_CLOEXEC = 0x80000;
    private static final int POSIX_FADV_RANDOM = 1;

    /** struct file_handle: handle_bytes u32, handle_type s32, f_handle. Of FUSE: node id (upper half first) and generation. */
    private static final int HANDLE_BYTES = 12;

    private static final int FILEID_INO64_GEN = 0x81;

    private static final MethodHandle OPEN = LibcNative.bind(
            "open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle OPEN_BY_HANDLE_AT =
            LibcNative.bind("open_by_handle_at", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle PREAD =
            LibcNative.bind("pread", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
    /** Unlike the others it returns the errno. */
    private static final MethodHandle POSIX_FADVISE =
            LibcNative.bind("posix_fadvise", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));

    private static final MethodHandle GETTID = LibcNative.bind("gettid", FunctionDescriptor.of(JAVA_INT));

    private final String mountPoint;

    MountedInodes(Path mountPoint) {
        this.mountPoint = mountPoint.toString();
    }

    @Override
    public int open(long ino) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            int root = (int) OPEN.invokeExact(capture, arena.allocateFrom(mountPoint), O_DIRECTORY | O_CLOEXEC);
            if (root < 0) {
                return -LibcNative.errno(capture);
            }
            try {
                MemorySegment handle = arena.allocate(2L * Integer.BYTES + HANDLE_BYTES, Integer.BYTES);
                handle.setAtIndex(JAVA_INT, 0, HANDLE_BYTES);
                handle.setAtIndex(JAVA_INT, 1, FILEID_INO64_GEN);
                handle.setAtIndex(JAVA_INT, 2, (int) (ino >>> 32));
                handle.setAtIndex(JAVA_INT, 3, (int) ino);
                int fd = (int) OPEN_BY_HANDLE_AT.invokeExact(capture, root, handle, O_CLOEXEC);
                if (fd < 0) {
                    return -LibcNative.errno(capture);
                }
                // What is read is what was asked for, without a page around it. A mere hint, so its failure means
                // nothing.
                int _ = (int) POSIX_FADVISE.invokeExact(capture, fd, 0L, 0L, POSIX_FADV_RANDOM);
                return fd;
            } finally {
                DeviceNative.close(root);
            }
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    @Override
    public long read(int fd, long offset, int bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            MemorySegment nobodys = LibcNative.mapAnonymous(bytes, true, arena);
            long got = (long) PREAD.invokeExact(capture, fd, nobodys, (long) bytes, offset);
            return got < 0 ? -LibcNative.errno(capture) : got;
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    @Override
    public void close(int fd) {
        DeviceNative.close(fd);
    }

    @Override
    public int threadId() {
        try (Arena arena = Arena.ofConfined()) {
            return (int) GETTID.invokeExact(LibcNative.newCapture(arena));
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }
}
