package io.tesserafs.fabric.pmem;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;

/**
 * The system calls a pool needs beyond what the JDK offers. Constants and structures are those of Linux on x86-64 and aarch64,
 * where they agree (that is why statx(2) stands here and not stat(2), and why no flag of open(2) is used that differs).
 * Everything here is off the hot path; each call allocates a few bytes.
 */
final class PoolNative {
    static final int O_RDONLY = 0;
    static final int O_RDWR = 2;
    static final int O_CREAT = 0x40;
    static final int O_EXCL = 0x80;
    static final int O_CLOEXEC = 0x80000;

    static final int LOCK_SH = 1;
    static final int LOCK_EX = 2;
    private static final int LOCK_NB = 4;

    static final int EINTR = 4;
    static final int ENOENT = 2;
    static final int EAGAIN = 11;
    static final int ENOMEM = 12;
    static final int EEXIST = 17;
    static final int EINVAL = 22;
    static final int EFBIG = 27;
    static final int ENOSPC = 28;
    static final int EOPNOTSUPP = 95;
    static final int EDQUOT = 122;

    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_SHARED = 1;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final long MAP_FAILED = -1;

    /** Populate page tables for writing; Linux 5.14. */
    private static final int MADV_POPULATE_WRITE = 23;

    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BASIC_STATS = 0x7ff;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    private static final MethodHandle OPEN =
            variadic("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT), 2);
    private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle FLOCK = function("flock", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle FSYNC = function("fsync", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle FTRUNCATE =
            function("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    /** Returns its error and leaves errno alone. */
    private static final MethodHandle POSIX_FALLOCATE = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("posix_fallocate"),
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));

    private static final MethodHandle FSTATFS = function("fstatfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle STATX =
            function("statx", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle MMAP = function(
            "mmap", FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP = function("munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle MPROTECT =
            function("mprotect", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MADVISE =
            function("madvise", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    private static final MethodHandle STRERROR = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));

    private PoolNative() {}

    /** What a file is. Taken from struct statx, 256 bytes, the same on every architecture. */
    record FileStatus(
            int mode,
            long inode,
            long bytes,
            long allocatedBytes,
            int specialMajor,
            int specialMinor,
            int deviceMajor,
            int deviceMinor) {
        private static final int STRUCT_BYTES = 256;
        private static final int MODE = 28; // u16
        private static final int INODE = 32; // u64
        private static final int SIZE = 40; // u64
        private static final int BLOCKS = 48; // u64, of 512 bytes
        private static final int RDEV_MAJOR = 128; // u32, of the device that the file stands for
        private static final int RDEV_MINOR = 132; // u32
        private static final int DEV_MAJOR = 136; // u32, of the filesystem
        private static final int DEV_MINOR = 140; // u32
        private static final int FILE_TYPE_MASK = 0xF000;
        private static final int REGULAR_FILE = 0x8000;
        private static final int CHARACTER_DEVICE = 0x2000;

        boolean isRegularFile() {
            return (mode & FILE_TYPE_MASK) == REGULAR_FILE;
        }

        boolean isCharacterDevice() {
            return (mode & FILE_TYPE_MASK) == CHARACTER_DEVICE;
        }
    }

    /** The filesystem under a file. Taken from struct statfs, of which the first five words are read. */
    record FileSystemStatus(long type, long availableBytes) {
        private static final int STRUCT_BYTES = 256; // 120 in truth
        private static final int TYPE = 0; // i64
        private static final int BLOCK_SIZE = 8; // i64
        private static final int BLOCKS_AVAILABLE = 32; // u64
    }

    static int open(Path path, int flags, int mode) throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            MemorySegment name = arena.allocateFrom(path.toString());
            int fd;
            do {
                fd = (int) OPEN.invokeExact(capture, name, flags | O_CLOEXEC, mode);
            } while (fd < 0 && errno(capture) == EINTR);
            check(fd, capture, "open");
            return fd;
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    /** Releases the descriptor whatever the outcome; the error is that of an earlier write-back, if any. */
    static void close(int fd) throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            check((int) CLOSE.invokeExact(capture, fd), capture, "close");
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    /** Takes a lock that belongs to this open file (not to the process), without waiting; false if someone else has it. */
    static boolean tryLock(int fd, int kind) throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            int result = (int) FLOCK.invokeExact(capture, fd, kind | LOCK_NB);
            if (result != 0 && errno(capture) == EAGAIN) {
                return false; // EWOULDBLOCK: held by someone else
            }
            check(result, capture, "flock");
            return true;
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    static void fsync(int fd) throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            check((int) FSYNC.invokeExact(capture, fd), capture, "fsync");
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    static void truncate(int fd, long bytes) throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            check((int) FTRUNCATE.invokeExact(capture, fd, bytes), capture, "ftruncate");
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    /** Gives real storage to the range; glibc writes zeros where the filesystem cannot do it by itself. */
    static void allocate(int fd, long offset, long bytes) throws NativeCallException {
        try {
            int error;
            do {
                error = (int) POSIX_FALLOCATE.invokeExact(fd, offset, bytes);
            } while (error == EINTR);
            if (error != 0) {
                throw new NativeCallException("posix_fallocate", error, describe(error));
            }
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    static FileStatus status(int fd) throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            MemorySegment status = arena.allocate(FileStatus.STRUCT_BYTES, Long.BYTES);
            MemorySegment noName = arena.allocateFrom("");
            int result = (int) STATX.invokeExact(capture, fd, noName, AT_EMPTY_PATH, STATX_BASIC_STATS, status);
            check(result, capture, "statx");
            return new FileStatus(
                    status.get(JAVA_INT, FileStatus.MODE) & 0xFFFF,
                    status.get(JAVA_LONG, FileStatus.INODE),
                    status.get(JAVA_LONG, FileStatus.SIZE),
                    status.get(JAVA_LONG, FileStatus.BLOCKS) * 512,
                    status.get(JAVA_INT, FileStatus.RDEV_MAJOR),
                    status.get(JAVA_INT, FileStatus.RDEV_MINOR),
                    status.get(JAVA_INT, FileStatus.DEV_MAJOR),
                    status.get(JAVA_INT, FileStatus.DEV_MINOR));
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    static FileSystemStatus fileSystem(int fd) throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            MemorySegment status = arena.allocate(FileSystemStatus.STRUCT_BYTES, Long.BYTES);
            int result;
            do {
                result = (int) FSTATFS.invokeExact(capture, fd, status);
            } while (result != 0 && errno(capture) == EINTR);
            check(result, capture, "fstatfs");
            return new FileSystemStatus(
                    status.get(JAVA_LONG, FileSystemStatus.TYPE),
                    status.get(JAVA_LONG, FileSystemStatus.BLOCKS_AVAILABLE)
                            * status.get(JAVA_LONG, FileSystemStatus.BLOCK_SIZE));
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    /** The first bytes of a file or device, until the arena closes. */
    static MemorySegment map(int fd, long bytes, boolean writable, Arena until) throws NativeCallException {
        MemorySegment mapped = map(bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, until);
        return writable ? mapped : mapped.asReadOnly();
    }

    private static MemorySegment map(long bytes, int protection, int flags, int fd, Arena until)
            throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            long at = (long) MMAP.invokeExact(capture, MemorySegment.NULL, bytes, protection, flags, fd, 0L);
            if (at == MAP_FAILED) {
                check(-1, capture, "mmap");
            }
            return MemorySegment.ofAddress(at).reinterpret(bytes, until, PoolNative::unmap);
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    /** Memory with this code in it, that can be run and not be written. */
    static MemorySegment executable(byte[] code, Arena until) throws NativeCallException {
        MemorySegment memory = map(code.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, until);
        memory.copyFrom(MemorySegment.ofArray(code));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            int result = (int) MPROTECT.invokeExact(capture, memory, memory.byteSize(), PROT_READ | PROT_EXEC);
            check(result, capture, "mprotect");
            return memory;
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    private static void unmap(MemorySegment memory) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            check((int) MUNMAP.invokeExact(capture, memory, memory.byteSize()), capture, "munmap");
        } catch (Throwable t) {
            throw new UncheckedIOException(rethrow(t));
        }
    }

    /** Makes every page of the range present and writable in this process; false if the kernel is too old to know how. */
    static boolean populateForWriting(MemorySegment pages) throws NativeCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            int result;
            do {
                result = (int) MADVISE.invokeExact(capture, pages, pages.byteSize(), MADV_POPULATE_WRITE);
            } while (result != 0 && errno(capture) == EINTR);
            if (result != 0 && errno(capture) == EINVAL) {
                return false; // before Linux 5.14
            }
            check(result, capture, "madvise(MADV_POPULATE_WRITE)");
            return true;
        } catch (Throwable t) {
            throw rethrow(t);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor type) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name), type, Linker.Option.captureCallState("errno"));
    }

    private static MethodHandle variadic(String name, FunctionDescriptor type, int firstVariadicArgument) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name),
                type,
                Linker.Option.captureCallState("errno"),
                Linker.Option.firstVariadicArg(firstVariadicArgument));
    }

    private static int errno(MemorySegment capture) {
        return (int) ERRNO.get(capture, 0L);
    }

    private static void check(int result, MemorySegment capture, String call) throws NativeCallException {
        if (result < 0) {
            int errno = errno(capture);
            throw new NativeCallException(call, errno, describe(errno));
        }
    }

    private static String describe(int errno) {
        try {
            MemorySegment text = (MemorySegment) STRERROR.invokeExact(errno);
            return text.reinterpret(256).getString(0);
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }

    /** Downcalls declare Throwable; only our own exception and unchecked ones really come. */
    private static NativeCallException rethrow(Throwable t) {
        return switch (t) {
            case NativeCallException e -> e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(t);
        };
    }
}
