package io.tesserafs.fabric.pmem;

import io.tesserafs.fabric.pmem.PoolException.Reason;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
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
            PoolHeader header = new PoolHeader(
                    UUID.randomUUID(),
                    cluster,
                    brick,
                    geometry.blocks(),
                    System.currentTimeMillis(),
                    BootId.current(),
                    true,
                    1);
            MemorySegment bytes = MemorySegment.ofArray(header.encode());
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

    private static void refuseExisting(Path path) throws PoolException {
        if (Files.exists(path, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
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
