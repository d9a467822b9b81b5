package io.tesserafs.fabric.pmem;

import io.tesserafs.fabric.pmem.PoolException.Reason;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.UUID;
import jdk.nio.mapmode.ExtendedMapMode;
import org.jspecify.annotations.Nullable;

/**
 * The open file of a pool and the lock on it. The lock is flock(2)'s: it belongs to this open file. A lock taken through
 * {@link FileChannel} belongs to the process and is lost when any other descriptor of the file closes, say that of a tool's
 * look into the pool.
 */
final class PoolFile implements AutoCloseable {
    /** Preallocation goes in steps so that a signal in one of them repeats little. */
    private static final long ALLOCATION_STEP_BYTES = 1L << 30;

    private static final Path BLOCK_DEVICES = Path.of("/sys/dev/block");

    private final Path path;
    private final int fd;
    private final boolean writable;
    private final PoolNative.FileStatus status;
    private final FileSystemKind fileSystem;
    /** Null for a regular file. */
    private final @Nullable DaxDevice device;

    private boolean closed;

    private PoolFile(Path path, int fd, boolean writable) throws NativeCallException, PoolException {
        this.path = path;
        this.fd = fd;
        this.writable = writable;
        this.status = PoolNative.status(fd);
        this.device = DaxDevice.of(path, status);
        this.fileSystem =
                device == null ? FileSystemKind.of(PoolNative.fileSystem(fd).type()) : FileSystemKind.NONE;
    }

    static PoolFile open(Path path, boolean writable) throws PoolException {
        PoolFile file = open(path, writable ? PoolNative.O_RDWR : PoolNative.O_RDONLY, writable);
        if (!file.status.isRegularFile() && !file.isDevice()) {
            file.close();
            throw new PoolException(Reason.NOT_A_POOL, path, "neither a regular file nor a device DAX");
        }
        return file;
    }

    static PoolFile openOrCreate(Path path) throws PoolException {
        return open(path, PoolNative.O_RDWR | PoolNative.O_CREAT, true);
    }

    private static PoolFile open(Path path, int flags, boolean writable) throws PoolException {
        int fd = -1;
        try {
            fd = PoolNative.open(path, flags, 0600);
            return new PoolFile(path, fd, writable);
        } catch (NativeCallException e) {
            PoolException failure = failure(path, "cannot be opened", e);
            closeAfter(failure, fd);
            throw failure;
        } catch (PoolException e) {
            closeAfter(e, fd);
            throw e;
        }
    }

    private static void closeAfter(PoolException failure, int fd) {
        if (fd >= 0) {
            try {
                PoolNative.close(fd);
            } catch (NativeCallException e) {
                failure.addSuppressed(e);
            }
        }
    }

    Path path() {
        return path;
    }

    long bytes() {
        return device == null ? status.bytes() : device.bytes();
    }

    /** Whether this is persistent memory without a filesystem, which can only be mapped. */
    boolean isDevice() {
        return device != null;
    }

    /** Of the memory beneath, if that is persistent memory. */
    PersistenceDomain persistenceDomain() {
        return PersistenceDomain.above(
                device == null
                        ? BLOCK_DEVICES.resolve(status.deviceMajor() + ":" + status.deviceMinor())
                        : DaxDevice.sysfs(status));
    }

    FileIdentity identity(UUID boot) {
        return new FileIdentity(boot, status.deviceMajor(), status.deviceMinor(), status.inode());
    }

    FileSystemKind fileSystem() {
        return fileSystem;
    }

    /** Alone (for the owner) or together with other readers; fails at once if that cannot be. */
    void lock(boolean alone) throws PoolException {
        try {
            if (!PoolNative.tryLock(fd, alone ? PoolNative.LOCK_EX : PoolNative.LOCK_SH)) {
                String holder = holder().map(pid -> " by process " + pid).orElse("");
                throw new PoolException(Reason.IN_USE, path, "in use" + holder);
            }
        } catch (NativeCallException e) {
            throw failure(path, "cannot be locked", e);
        }
    }

    /** Who holds the lock, for the message; the kernel does not say for processes of other pid namespaces. */
    private Optional<String> holder() {
        String file = "%02x:%02x:%d".formatted(status.deviceMajor(), status.deviceMinor(), status.inode());
        try {
            return Files.readAllLines(Path.of("/proc/locks")).stream()
                    .map(line -> line.strip().split("\\s+"))
                    .filter(f -> f.length >= 6 && f[1].equals("FLOCK") && f[5].equals(file) && !f[4].startsWith("-"))
                    .map(f -> f[4])
                    .findFirst();
        } catch (IOException e) {
            return Optional.empty(); // only the message is poorer
        }
    }

    /** Whether the file under this name is still the open one. */
    boolean isAt(Path name) throws PoolException {
        try {
            return Files.exists(name) && Files.getAttribute(name, "unix:ino").equals(status.inode());
        } catch (IOException e) {
            throw new PoolException(Reason.IO, name, "cannot be examined: " + e.getMessage(), e);
        }
    }

    /** Empties the file, then gives it {@code bytes} of real storage, all zeros. */
    void allocateFresh(long bytes) throws PoolException {
        try {
            PoolNative.truncate(fd, 0);
            for (long at = 0; at < bytes; at += ALLOCATION_STEP_BYTES) {
                PoolNative.allocate(fd, at, Math.min(ALLOCATION_STEP_BYTES, bytes - at));
            }
        } catch (NativeCallException e) {
            throw allocationFailure(bytes, e);
        }
        checkStorage(bytes);
    }

    private PoolException allocationFailure(long bytes, NativeCallException e) {
        return switch (e.errno()) {
            case PoolNative.ENOSPC, PoolNative.EDQUOT, PoolNative.ENOMEM ->
                new PoolException(
                        Reason.NO_SPACE,
                        path,
                        "the %s below cannot hold %,d bytes: %s".formatted(fileSystem.name(), bytes, e.getMessage()),
                        e);
            case PoolNative.EFBIG ->
                new PoolException(
                        Reason.BAD_SIZE,
                        path,
                        "%,d bytes are too many for a file on %s".formatted(bytes, fileSystem.name()),
                        e);
            default -> failure(path, "cannot be allocated", e);
        };
    }

    /** Refuses a file that has less storage than bytes. */
    void checkStorage(long bytes) throws PoolException {
        if (isDevice()) {
            return; // it is storage throughout
        }
        long allocated;
        try {
            allocated = PoolNative.status(fd).allocatedBytes();
        } catch (NativeCallException e) {
            throw failure(path, "cannot be examined", e);
        }
        if (allocated < bytes) {
            throw new PoolException(
                    Reason.SPARSE,
                    path,
                    "has holes (%,d of %,d bytes have storage), so a full disk could kill its owner;"
                                    .formatted(allocated, bytes)
                            + " fill them with: fallocate -l " + bytes + " " + path);
        }
    }

    /** The first {@code length} bytes at {@code offset}; shorter at the end of the file. */
    byte[] read(long offset, int length) throws PoolException {
        if (isDevice()) {
            try (Arena arena = Arena.ofConfined()) {
                long to = Math.min(offset + length, bytes());
                return map(to, arena).asSlice(offset, to - offset).toArray(ValueLayout.JAVA_BYTE);
            }
        }
        ByteBuffer buffer = ByteBuffer.allocate(length);
        try (FileChannel channel = channel()) {
            while (buffer.hasRemaining() && channel.read(buffer, offset + buffer.position()) >= 0) {
                // until full or at the end
            }
        } catch (IOException e) {
            throw new PoolException(Reason.IO, path, "cannot be read: " + e.getMessage(), e);
        }
        byte[] bytes = new byte[buffer.position()];
        buffer.flip().get(bytes);
        return bytes;
    }

    /** The mapping with MAP_SYNC, or null where the filesystem or the machine cannot give it. */
    @Nullable
    MemorySegment mapSync(long bytes, Arena arena) {
        try (FileChannel channel = channel()) {
            return channel.map(ExtendedMapMode.READ_WRITE_SYNC, 0, bytes, arena);
        } catch (IOException | UnsupportedOperationException e) {
            return null; // not DAX; a real fault shows again in map()
        }
    }

    MemorySegment map(long bytes, Arena arena) throws PoolException {
        if (device != null) {
            try {
                return PoolNative.map(fd, device.mappedBytes(bytes), writable, arena)
                        .asSlice(0, bytes);
            } catch (NativeCallException e) {
                throw failure(path, "cannot be mapped", e);
            }
        }
        try (FileChannel channel = channel()) {
            return channel.map(writable ? MapMode.READ_WRITE : MapMode.READ_ONLY, 0, bytes, arena);
        } catch (IOException e) {
            throw new PoolException(Reason.IO, path, "cannot be mapped: " + e.getMessage(), e);
        }
    }

    /** The same file again, whatever has become of its name. */
    private FileChannel channel() throws IOException {
        Path self = Path.of("/proc/self/fd", Integer.toString(fd));
        return writable
                ? FileChannel.open(self, StandardOpenOption.READ, StandardOpenOption.WRITE)
                : FileChannel.open(self, StandardOpenOption.READ);
    }

    /** Content and metadata, with the storage just allocated, are on the device. Of regular files. */
    void sync() throws PoolException {
        try {
            PoolNative.fsync(fd);
        } catch (NativeCallException e) {
            throw failure(path, "cannot be synced", e);
        }
    }

    /** Gives up the lock too. Idempotent. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            PoolNative.close(fd);
        } catch (NativeCallException e) {
            // Everything that had to persist was flushed and checked before; still this is not to pass unseen.
            throw new UncheckedIOException("pool " + path, e);
        }
    }

    private static PoolException failure(Path path, String what, NativeCallException e) {
        Reason reason = switch (e.errno()) {
            case PoolNative.ENOENT -> Reason.NOT_FOUND;
            case PoolNative.ENOSPC, PoolNative.EDQUOT -> Reason.NO_SPACE;
            default -> Reason.IO;
        };
        return new PoolException(reason, path, what + ": " + e.getMessage(), e);
    }
}
