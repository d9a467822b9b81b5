package io.tesserafs.node.daemon;

import io.tesserafs.fabric.LocalFabric;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.node.config.NodeConfig.PoolConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's pool, first opened and then, once the cluster has given it a number, exported as a brick. Opening writes nothing, so that a
 * pool of another cluster is refused unchanged. Not thread-safe until exported.
 */
final class ExportedBrick implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ExportedBrick.class);

    private final Pool pool;
    private final LocalFabric fabric = new LocalFabric();
    private @Nullable LocalBrick brick;
    /** Volumes of which nothing is missing any more. */
    private final Set<Integer> settled = ConcurrentHashMap.newKeySet();

    private final Object settling = new Object();
    private volatile boolean recovered;

    private ExportedBrick(Pool pool) {
        this.pool = pool;
    }

    /** Opens the pool; makes it first if there is none. */
    static ExportedBrick open(PoolConfig config) throws IOException {
        if (!Pool.exists(config.path())) {
            Path directory = config.path().getParent();
            if (directory != null) {
                Files.createDirectories(directory);
            }
            LOG.info("creating pool {} of {}", config.path(), config.size());
            Pool.create(config.path(), config.size().bytes(), "", 0);
        }
        return new ExportedBrick(Pool.open(config.path()));
    }

    /** The cluster the pool joined, if it joined one. */
    Optional<UUID> cluster() throws StartException {
        String cluster = pool.cluster();
        try {
            return cluster.isEmpty() ? Optional.empty() : Optional.of(UUID.fromString(cluster));
        } catch (IllegalArgumentException e) {
            throw new StartException("pool " + pool.path() + " belongs to something that is no cluster: " + cluster, e);
        }
    }

    /** Registers the pool, enters the cluster in its header the first time, and serves it. */
    void export(Coordination coordination) throws IOException {
        @Nullable BrickId written = pool.brick() == 0 ? null : new BrickId(pool.brick());
        long bytes = (long) pool.blocks() * Pool.BLOCK_BYTES;
        BrickId id = coordination
                .bricks()
                .register(pool.id(), written, coordination.node(), pool.path().toString(), bytes);
        if (written == null) {
            pool.beginUse();
            pool.join(coordination.cluster().clusterId().toString(), id.value());
        }
        LocalBrick opened = LocalBrick.open(pool);
        brick = opened;
        recovered = pool.nothingLost();
        if (!recovered) {
            LOG.warn(
                    "pool {}: the host has lost its memory since the pool was used, and it was not closed",
                    pool.path());
            opened.withhold();
        }
        fabric.attach(opened);
        coordination.announceBrick(id.value());
        LOG.info("exporting {} as brick {}: {}", pool.path(), id, opened.info());
    }

    LocalFabric fabric() {
        return fabric;
    }

    LocalBrick brick() {
        LocalBrick current = brick;
        if (current == null) {
            throw new IllegalStateException("the pool is not exported yet");
        }
        return current;
    }

    /** Whether what was not durable of a volume when this host lost its memory has been dealt with, or nothing was lost. */
    boolean isSettled(int volume) {
        return recovered || settled.contains(volume);
    }

    /** It has been. From now on other nodes get at what is here of the volume. */
    void settled(int volume) {
        settled.add(volume);
        brick().offer(volume);
    }

    /** Held by who deals with it. */
    Object settling() {
        return settling;
    }

    boolean isRecovered() {
        return recovered;
    }

    /** All that lives in the pool has recovered. */
    void recovered() throws IOException {
        pool.recovered();
        recovered = true;
        brick().offerAll();
    }

    @Override
    public void close() throws IOException {
        LocalBrick current = brick;
        if (current == null) {
            pool.abandon();
        } else {
            fabric.detach(current);
            current.close();
        }
    }
}
