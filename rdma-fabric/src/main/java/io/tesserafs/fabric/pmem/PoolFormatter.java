package io.tesserafs.fabric.pmem;

import io.tesserafs.fabric.pmem.PoolException.Reason;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/** Makes new pools. The file gets its name last, so that a pool under its name is always a whole one. */
final class PoolFormatter {
    private static final String UNFINISHED = ".creating";

    private PoolFormatter() {}

    static PoolInfo create(Path path, long bytes, String cluster, int brick) throws PoolException {
        PoolGeometry geometry = PoolGeometry.within(bytes);
        if (bytes < Pool.MIN_BYTES) {
            throw new PoolException(
                    Reason.BAD_SIZE,
                    path,
                    "%,d bytes are too few, the minimum is %,d".formatted(bytes, Pool.MIN_BYTES));
        }
        if (brick < 0 || brick > 0xFFFF) {
            throw new IllegalArgumentException("brick number out of range: " + brick);
        }
        if (isSpecial(path)) {
            return createOnDevice(path, bytes, cluster, brick);
        }
        refuseExisting(path);
        Path unfinished = path.resolveSibling(path.getFileName() + UNFINISHED);
        try (PoolFile file = PoolFile.openOrCreate(unfinished)) {
            file.lock(true);
            // Another creator may have finished between our open and our lock; then this is its pool, not ours to
            // empty.
            refuseExisting(path);
            if (!file.isAt(unfinished)) {
                throw new PoolException(Reason.IN_USE, path, "is being created by someone else");
            }
            try {
                return format(file, path, unfinished, geometry, cluster, brick);
            } catch (IOException | RuntimeException e) {
                removeAfter(e, unfinished);
                throw e;
            }
        }
    }

    private static PoolInfo format(
            PoolFile file, Path path, Path unfinished, PoolGeometry geometry, String cluster, int brick)
            throws PoolException {
        file.allocateFresh(geometry.fileBytes());
        try {
            MemorySegment bytes =
                    MemorySegment.ofArray(fresh(geometry, cluster, brick).encode());
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment memory = file.map(geometry.fileBytes(), arena);
                memory.asSlice(PoolGeometry.HEADER_A, PoolHeader.BYTES).copyFrom(bytes);
                memory.asSlice(PoolGeometry.HEADER_B, PoolHeader.BYTES).copyFrom(bytes);
            }
            file.sync();
            Files.move(unfinished, path);
            syncDirectory(path);
        } catch (FileAlreadyExistsException e) {
            throw exists(path);
        } catch (PoolException e) {
            throw e;
        } catch (IOException e) {
            throw new PoolException(Reason.IO, path, "cannot be created: " + e.getMessage(), e);
        }
        return Pool.describe(path);
    }

    static boolean isThere(Path path) throws PoolException {
        if (!isSpecial(path)) {
            return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
        }
        try (PoolFile file = PoolFile.open(path, false)) {
            return file.isDevice() && hasHeader(file);
        }
    }

    /** Neither a file, nor nothing, nor a link to nothing. */
    private static boolean isSpecial(Path path) {
        return Files.exists(path) && !Files.isRegularFile(path) && !Files.isDirectory(path);
    }

    /** Also one that is damaged or of another version. */
    private static boolean hasHeader(PoolFile file) throws PoolException {
        try {
            HeaderReader.read(file);
            return true;
        } catch (PoolException e) {
            return switch (e.reason()) {
                case NOT_A_POOL -> false;
                case VERSION, DAMAGED, TRUNCATED -> true;
                default -> throw e;
            };
        }
    }

    private static PoolInfo createOnDevice(Path path, long bytes, String cluster, int brick) throws PoolException {
        try (PoolFile file = PoolFile.open(path, true);
                Arena arena = Arena.ofConfined()) {
            Pool.checkFlushable(path, true);
            file.lock(true);
            if (hasHeader(file)) {
                throw new PoolException(Reason.EXISTS, path, "there is a pool on it already");
            }
            PoolGeometry geometry = PoolGeometry.within(Math.min(bytes, file.bytes()));
            if (geometry.fileBytes() < Pool.MIN_BYTES) {
                throw new PoolException(
                        Reason.BAD_SIZE,
                        path,
                        "%,d bytes are too few, the minimum is %,d".formatted(geometry.fileBytes(), Pool.MIN_BYTES));
            }
            MemorySegment memory = file.map(geometry.fileBytes(), arena);
            MemorySegment fixed = memory.asSlice(0, geometry.dataOffset());
            fixed.fill((byte) 0);
            CacheLines.writeBack(fixed);
            MemorySegment header =
                    MemorySegment.ofArray(fresh(geometry, cluster, brick).encode());
            for (long at : new long[] {PoolGeometry.HEADER_B, PoolGeometry.HEADER_A}) {
                MemorySegment copy = memory.asSlice(at, PoolHeader.BYTES);
                copy.copyFrom(header);
                CacheLines.writeBack(copy);
            }
        } catch (PoolException e) {
            throw e;
        } catch (IOException e) {
            throw new PoolException(Reason.IO, path, "cannot be created: " + e.getMessage(), e);
        }
        return Pool.describe(path);
    }

    private static PoolHeader fresh(PoolGeometry geometry, String cluster, int brick) throws IOException {
        return new PoolHeader(
                UUID.randomUUID(),
                cluster,
                brick,
                geometry.blocks(),
                System.currentTimeMillis(),
                BootId.current(),
                true,
                0,
                1);
    }

    private static void refuseExisting(Path path) throws PoolException {
        if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            throw exists(path);
        }
    }

    private static PoolException exists(Path path) {
        return new PoolException(Reason.EXISTS, path, "exists already");
    }

    private static void syncDirectory(Path path) throws IOException {
        Path directory = path.toAbsolutePath().getParent();
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private static void removeAfter(Exception failure, Path unfinished) {
        try {
            Files.deleteIfExists(unfinished);
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
    }
}
