package io.tesserafs.coherence.lock;

/**
 * What a volume's table holds at most, so that no application can exhaust the owner's heap. A lock takes some 150 bytes.
 *
 * @param perFile locked ranges of one file and kind
 * @param total locked ranges of a volume
 * @param waiting requests of a volume that wait
 */
public record LockLimits(int perFile, int total, int waiting) {
    /** Some 150 MB at most; a database that locks single records of a file has room. */
    public static final LockLimits DEFAULT = new LockLimits(1 << 16, 1 << 20, 1 << 16);
}
