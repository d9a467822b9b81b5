package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.PoolInspector;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** A volume without its owner: replayed from a pool that nobody has open, read-only, for the checker and for looking at the log. */
public final class OfflineVolume {
    private final VolumeConfig config;
    private final Manifest manifest;
    private final PoolInspector pool;
    private final BrickId brick;

    /** {@code manifest}: as the coordination service has it. */
    public OfflineVolume(VolumeConfig config, byte[] manifest, PoolInspector pool, BrickId brick)
            throws RecoveryException {
        this.config = config;
        this.pool = pool;
        this.brick = brick;
        try {
            this.manifest = manifest.length == 0 ? Manifest.empty(0) : Manifest.decode(manifest);
        } catch (Manifest.BadManifestException e) {
            throw new RecoveryException("volume " + config.name() + ": " + e.getMessage(), e);
        }
    }

    /** Without the log nothing can be told. */
    private void checkLogIsHere() throws RecoveryException {
        if (manifest.home() != 0 && manifest.home() != brick.value() && manifest.mirror() != brick.value()) {
            throw new RecoveryException("volume " + config.name() + ": its log is on brick b" + manifest.home()
                    + (manifest.mirror() == 0 ? "" : " and brick b" + manifest.mirror()) + ", this is brick " + brick);
        }
    }

    /** A log that cannot be replayed is a problem in the report, not an exception. */
    public CheckReport check() throws IOException {
        checkLogIsHere();
        Set<Long> own = new HashSet<>();
        manifest.segments().forEach(s -> own.add(s.block()));
        try {
            Recovery.Result found = recovery().replay(manifest, true, (lsn, epoch, payload) -> {});
            own.addAll(found.checkpointBlocks());
            return VolumeChecker.checkReplayed(config.name(), found, own, allocated(), brick);
        } catch (RecoveryException e) {
            return new CheckReport(
                    config.name(), 0, 0, 0, allocated().size(), List.of(String.valueOf(e.getMessage())), List.of());
        }
    }

    /** Records from {@code fromLsn} on, at most {@code max}, decoded. */
    public List<LogText.Line> log(long fromLsn, int max) throws RecoveryException {
        checkLogIsHere();
        return LogText.read(recovery(), manifest, fromLsn, max);
    }

    private Recovery recovery() {
        return new Recovery(this::read, config.name(), config.uuid());
    }

    private ByteBuffer read(long block) throws IOException {
        MemorySegment memory = pool.block(new BlockId(block));
        if (memory == null) {
            throw new IOException("the brick has no block " + new BlockId(block));
        }
        return memory.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    private Set<Long> allocated() throws BrickException {
        Set<Long> blocks = new HashSet<>();
        for (BlockId id : pool.allocated()) {
            if (id.volume() == config.number()) {
                blocks.add(id.value());
            }
        }
        return blocks;
    }
}
