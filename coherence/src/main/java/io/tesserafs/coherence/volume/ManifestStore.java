package io.tesserafs.coherence.volume;

import java.io.IOException;

/**
 * Where the manifest of one volume's log lives: a small document in ZooKeeper, changed by compare-and-set only by the owner of
 * the current epoch. Calls block. Thread-safe.
 */
public interface ManifestStore {
    /** The manifest and its version; {@code bytes} is empty and version 0 for a volume that was just created. */
    record Versioned(byte[] bytes, int version) {}

    Versioned read() throws IOException;

    /**
     * Replaces the manifest if its version is still {@code expectedVersion} and no newer epoch than {@code epoch} exists.
     *
     * @return the new version
     * @throws StaleEpochException another owner has taken over; this one must stop
     */
    int write(byte[] bytes, int expectedVersion, long epoch) throws IOException, StaleEpochException;
}
