package io.tesserafs.fabric.shm;

import io.tesserafs.fabric.pmem.FileIdentity;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.pmem.PoolException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pools of other processes of this host, mapped here. A pool stays mapped until the end: bricks of a host are few, address space
 * is not. Thread-safe.
 */
public final class SharedPools implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SharedPools.class);

    /** Guarded by this. */
    private final Map<FileIdentity, Pool> pools = new HashMap<>();

    private boolean closed;

    /**
     * Maps the pool that its owner says to have open.
     *
     * @param path where the owner has it; here there may be another file, or none
     * @throws PoolException if the file at the path is not that very file and pool
     */
    public synchronized Pool map(Path path, FileIdentity identity, UUID pool) throws PoolException {
        if (closed) {
            throw new IllegalStateException("closed");
        }
        Pool known = pools.get(identity);
        if (known != null && known.id().equals(pool)) {
            return known;
        }
        Pool mapped = Pool.openBesideOwner(path, identity, pool);
        if (known != null) {
            LOG.warn("pool {} was made anew in the same file {}", pool, path);
        }
        pools.put(identity, mapped);
        LOG.info("pool {} of another process is mapped", path);
        return mapped;
    }

    /** All blocks must have been let go. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            pools.values().forEach(Pool::abandon);
        }
    }
}
