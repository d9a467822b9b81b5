package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.ManifestStore;

/** A manifest that outlives the owners of a volume in one process, as ZooKeeper's does. */
public final class MemoryManifest implements ManifestStore {
    private Versioned current = new Versioned(new byte[0], 0);

    @Override
    public synchronized Versioned read() {
        return current;
    }

    @Override
    public synchronized int write(byte[] bytes, int expectedVersion, long epoch) {
        if (current.version() != expectedVersion) {
            throw new IllegalStateException("version " + current.version() + ", not " + expectedVersion);
        }
        current = new Versioned(bytes, expectedVersion + 1);
        return current.version();
    }
}
