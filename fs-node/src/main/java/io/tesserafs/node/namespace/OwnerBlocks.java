package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The owner's own blocks, on the brick of its node: ids, log segments and checkpoint blocks. Ids are granted under the owner's lock; the rest is I/O, one
 * thread.
 */
final class OwnerBlocks implements AutoCloseable {
    private final VolumeConfig config;
    private final BrickClient brick;
    private final SecureRandom random = new SecureRandom();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(LogFormat.SEGMENT_BYTES, 64);
    private long nextSequence;

    /** {@code nextSequence}: no id from there on was ever used. */
    OwnerBlocks(VolumeConfig config, BrickClient brick, long nextSequence) {
        this.config = config;
        this.brick = brick;
        this.nextSequence = nextSequence;
    }

    BrickClient brick() {
        return brick;
    }

    UUID volume() {
        return config.uuid();
    }

    long nextSequence() {
        return nextSequence;
    }

    BlockId[] grant(int count) {
        BlockId[] ids = new BlockId[count];
        for (int i = 0; i < count; i++) {
            ids[i] = BlockId.of(config.number(), nextSequence++);
        }
        return ids;
    }

    /** The block-sized buffer for building a block; I/O thread only. */
    ByteBuffer buffer() {
        return LogFormat.view(buffer);
    }

    /** Formats an allocated block as a log segment and makes that durable. */
    LogWriter.Segment formatSegment(BlockId id, long epoch, long sequence, Manifest manifest) throws BrickException {
        long salt = random.nextLong();
        LogFormat.encodeHeader(
                new LogFormat.Header(
                        LogFormat.KIND_LOG, config.uuid(), epoch, sequence, salt, 0, 0, 0, manifest.encode()),
                buffer());
        BlockHandle handle = brick.map(id, Access.READ_WRITE);
        handle.write(0, buffer, 0, LogFormat.HEADER_BYTES);
        handle.flush(0, LogFormat.HEADER_BYTES);
        return new LogWriter.Segment(new Manifest.Entry(id.value(), sequence), salt, handle);
    }

    /** Writes {@link #buffer}, whose payload is in place, as a checkpoint block and makes it durable. */
    void writeCheckpointBlock(
            BlockId id, long epoch, long index, int payloadBytes, @Nullable BlockId next, Manifest manifest)
            throws BrickException {
        ByteBuffer view = buffer();
        java.util.zip.CRC32C crc = new java.util.zip.CRC32C();
        crc.update(view.duplicate().limit(LogFormat.HEADER_BYTES + payloadBytes).position(LogFormat.HEADER_BYTES));
        LogFormat.encodeHeader(
                new LogFormat.Header(
                        LogFormat.KIND_CHECKPOINT,
                        config.uuid(),
                        epoch,
                        index,
                        random.nextLong(),
                        next == null ? 0 : next.value(),
                        payloadBytes,
                        (int) crc.getValue(),
                        manifest.encode()),
                view);
        BlockHandle handle = brick.map(id, Access.READ_WRITE);
        try {
            handle.write(0, buffer, 0, LogFormat.HEADER_BYTES + payloadBytes);
            handle.flush(0, LogFormat.HEADER_BYTES + payloadBytes);
        } finally {
            brick.unmap(handle);
        }
    }

    /** Reads a whole block into {@link #buffer}. */
    ByteBuffer read(long block) throws BrickException {
        BlockHandle handle = brick.map(new BlockId(block), Access.READ);
        try {
            handle.read(0, buffer, 0, LogFormat.SEGMENT_BYTES);
        } finally {
            brick.unmap(handle);
        }
        return buffer();
    }

    /** Makes part of a block durable, whoever wrote it. */
    void flush(BlockId id, long offset, long length) throws BrickException {
        flush(brick, id, offset, length);
    }

    /** The same on any brick, from any thread. */
    static void flush(BrickClient brick, BlockId id, long offset, long length) throws BrickException {
        BlockHandle handle = brick.map(id, Access.READ_WRITE);
        try {
            handle.flush(offset, length);
        } finally {
            brick.unmap(handle);
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
