package io.tesserafs.fabric.pmem;

import io.tesserafs.fabric.pmem.PoolException.Reason;
import io.tesserafs.fabric.pmem.PoolHeader.Condition;
import io.tesserafs.fabric.pmem.PoolHeader.Copy;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Reads both copies of a pool's header and decides which one counts, or says precisely why none does. */
final class HeaderReader {
    private HeaderReader() {}

    /** The copy that counts, and how many of the two are unusable: 0 or 1. */
    record Found(PoolHeader header, int damagedCopies) {}

    static Found read(PoolFile file) throws PoolException {
        Path path = file.path();
        Copy a = readCopy(file, PoolGeometry.HEADER_A);
        Copy b = readCopy(file, PoolGeometry.HEADER_B);
        for (Copy copy : new Copy[] {a, b}) {
            if (copy.condition() == Condition.OTHER_VERSION) {
                throw new PoolException(
                        Reason.VERSION,
                        path,
                        "has format version %d; this program knows version %d"
                                .formatted(copy.version(), PoolHeader.VERSION));
            }
        }
        PoolHeader header = newer(file.path(), a.header(), b.header());
        if (header == null) {
            throw unusable(file, a.condition(), b.condition());
        }
        long bytes = header.geometry().fileBytes();
        if (file.bytes() < bytes) {
            throw new PoolException(
                    Reason.TRUNCATED,
                    path,
                    "truncated: has %,d bytes, its header says %,d".formatted(file.bytes(), bytes));
        }
        return new Found(header, (a.header() == null ? 1 : 0) + (b.header() == null ? 1 : 0));
    }

    private static Copy readCopy(PoolFile file, long at) throws PoolException {
        byte[] bytes = file.read(at, PoolHeader.BYTES);
        return bytes.length < PoolHeader.BYTES ? new Copy(Condition.NO_MAGIC, 0, null) : PoolHeader.decode(bytes);
    }

    private static @Nullable PoolHeader newer(Path path, @Nullable PoolHeader a, @Nullable PoolHeader b)
            throws PoolException {
        if (a == null || b == null) {
            return a == null ? b : a;
        }
        if (!a.pool().equals(b.pool()) || a.blocks() != b.blocks()) {
            throw new PoolException(
                    Reason.DAMAGED,
                    path,
                    "its two header copies describe different pools, " + a.pool() + " and " + b.pool());
        }
        return a.sequence() >= b.sequence() ? a : b;
    }

    private static PoolException unusable(PoolFile file, Condition a, Condition b) {
        Condition better = a.compareTo(b) >= 0 ? a : b;
        return switch (better) {
            case NO_MAGIC ->
                new PoolException(Reason.NOT_A_POOL, file.path(), "not a pool: there is no pool header in it");
            case CONTRADICTORY ->
                new PoolException(
                        Reason.DAMAGED,
                        file.path(),
                        "both header copies are unusable: the sizes contradict each other");
            default ->
                new PoolException(
                        Reason.DAMAGED, file.path(), "both header copies are damaged: checksums do not match");
        };
    }
}
