package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * Rebuilds the tables from a manifest's checkpoint and log. Reads only; the caller decides what to do with what it found. Also used by the
 * offline checker.
 */
final class Recovery {
    /** Gives whole blocks by id; the buffer may be reused for the next. */
    interface BlockReader {
        ByteBuffer read(long block) throws IOException;
    }

    /** What replay found beside the tables. {@code segments}: how many of the manifest's hold records. */
    record Result(
            Tables tables,
            long lastLsn,
            int segments,
            boolean torn,
            List<Long> checkpointBlocks,
            long replayed,
            long maxSequence) {}

    /** Called for each transaction as it is applied; for the log dumper. */
    interface Observer {
        void transaction(long lsn, long epoch, ByteBuffer payload);
    }

    private final BlockReader reader;
    private final String volumeName;
    private final UUID volume;

    Recovery(BlockReader reader, String volumeName, UUID volume) {
        this.reader = reader;
        this.volumeName = volumeName;
        this.volume = volume;
    }

    Result replay(Manifest manifest, boolean sameBoot, Observer observer) throws RecoveryException {
        Tables tables = new Tables();
        List<Long> checkpoint = new ArrayList<>();
        long[] replayed = {0};
        try {
            tables.lenient(true);
            readCheckpoint(manifest, tables, checkpoint);
            LogReader.End end = new LogReader(sameBoot)
                    .read(new ManifestSource(manifest), volume, manifest.replayFromLsn(), (lsn, epoch, payload) -> {
                        observer.transaction(lsn, epoch, payload.duplicate().order(ByteOrder.LITTLE_ENDIAN));
                        tables.lenient(lsn <= manifest.checkpointEndLsn());
                        tables.apply(payload);
                        replayed[0]++;
                    });
            long needed = Math.max(manifest.cleanLsn(), manifest.checkpointEndLsn());
            if (end.lastLsn() < needed) {
                throw new RecoveryException(where() + "the log ends at LSN " + end.lastLsn()
                        + ", but it was durable up to LSN " + needed + ": log blocks are damaged or old");
            }
            tables.lenient(false);
            long max = manifest.segments().stream()
                    .mapToLong(s -> new BlockId(s.block()).sequence())
                    .max()
                    .orElse(0);
            for (long block : checkpoint) {
                max = Math.max(max, new BlockId(block).sequence());
            }
            return new Result(tables, end.lastLsn(), end.segments(), end.tornBytes(), checkpoint, replayed[0], max);
        } catch (LogReader.DamagedLogException e) {
            throw new RecoveryException(where() + "the log is damaged: " + e.getMessage(), e);
        } catch (Tables.BadMutationException e) {
            throw new RecoveryException(where() + "the log does not fit its state: " + e.getMessage(), e);
        } catch (BrickException e) {
            throw new RecoveryException(
                    where() + "a block of the log or checkpoint cannot be read: " + e.getMessage(), e);
        } catch (RecoveryException e) {
            throw e;
        } catch (IOException e) {
            throw new RecoveryException(where() + e.getMessage(), e);
        }
    }

    private String where() {
        return "volume " + volumeName + ": ";
    }

    private void readCheckpoint(Manifest manifest, Tables tables, List<Long> blocks)
            throws IOException, RecoveryException {
        ByteBuffer stream = ByteBuffer.allocate(2 * LogFormat.SEGMENT_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        long next = manifest.checkpointBlock();
        while (next != 0) {
            String name = "checkpoint block " + new BlockId(next);
            ByteBuffer block = reader.read(next);
            try {
                LogFormat.Header header = LogFormat.decodeHeader(block);
                if (header.kind() != LogFormat.KIND_CHECKPOINT
                        || !header.volume().equals(volume)
                        || header.sequence() != blocks.size()) {
                    throw new RecoveryException(where() + name + " belongs to another checkpoint");
                }
                ByteBuffer payload = block.duplicate()
                        .limit(LogFormat.HEADER_BYTES + header.payloadBytes())
                        .position(LogFormat.HEADER_BYTES);
                CRC32C crc = new CRC32C();
                crc.update(payload.duplicate());
                if ((int) crc.getValue() != header.payloadCrc()) {
                    throw new RecoveryException(where() + name + ": checksum does not match");
                }
                blocks.add(next);
                next = header.nextBlock();
                stream.put(payload).flip();
                tables.applyComplete(stream);
                stream.compact();
            } catch (LogFormat.BadBlockException e) {
                throw new RecoveryException(where() + name + ": " + e.getMessage(), e);
            }
        }
        if (stream.position() != 0) {
            throw new RecoveryException(where() + "the checkpoint ends within a mutation");
        }
    }

    /** The manifest's segments as the log reader wants them. */
    private final class ManifestSource implements LogReader.Source {
        private final Manifest manifest;

        ManifestSource(Manifest manifest) {
            this.manifest = manifest;
        }

        @Override
        public int count() {
            return manifest.segments().size();
        }

        @Override
        public ByteBuffer block(int index) throws IOException {
            return reader.read(manifest.segments().get(index).block());
        }

        @Override
        public long sequence(int index) {
            return manifest.segments().get(index).sequence();
        }

        @Override
        public String name(int index) {
            return "log segment " + sequence(index) + " (block "
                    + new BlockId(manifest.segments().get(index).block()) + ")";
        }
    }
}
