package io.tesserafs.node.namespace;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * Reads the records of a log, segment by segment, and decides where its valid prefix ends. A record that does not check ends the log if
 * nothing after it shows that it had been durable; otherwise the log is damaged and recovery must refuse.
 */
final class LogReader {
    /** One record that checked. {@code payload} is a view that is valid during the call. */
    interface Visitor {
        void transaction(long lsn, long epoch, ByteBuffer payload);
    }

    /** Gives the segments' blocks in order; each buffer is a whole block and may be reused for the next. */
    interface Source {
        int count();

        ByteBuffer block(int index) throws java.io.IOException;

        long sequence(int index);

        String name(int index);
    }

    /** Durable records were lost: what remains is no consistent state. */
    static final class DamagedLogException extends Exception {
        private static final long serialVersionUID = 1L;

        DamagedLogException(String message) {
            super(message);
        }
    }

    /**
     * Where the log ends.
     *
     * @param lastLsn of the valid prefix
     * @param segments how many segments hold it; later ones are spares that were never used
     * @param tornBytes whether something unreadable, never acknowledged as durable, was cut off
     */
    record End(long lastLsn, int segments, boolean tornBytes) {}

    private final CRC32C crc = new CRC32C();
    private final byte[] scratch = new byte[12];
    private final boolean sameBoot;

    /** {@code sameBoot}: memory survived, so that any valid record beyond an invalid one proves damage. */
    LogReader(boolean sameBoot) {
        this.sameBoot = sameBoot;
    }

    /** Reads all from {@code firstLsn} on; records before it are skipped. Visits in order. */
    End read(Source source, java.util.UUID volume, long firstLsn, Visitor visitor)
            throws java.io.IOException, DamagedLogException {
        long expected = 0; // 0: the first record decides
        int next = 0;
        while (next < source.count()) {
            int i = next++;
            ByteBuffer block = source.block(i);
            LogFormat.Header header = header(source, i, block, volume);
            int at = LogFormat.HEADER_BYTES;
            boolean ended = false;
            while (!ended) {
                int kind = check(block, at, header.salt(), expected);
                if (kind < 0) {
                    long missing = expected == 0 ? firstLsn : expected;
                    next = continuation(source, i + 1, missing, volume);
                    if (next > i) {
                        break; // a later owner took over here
                    }
                    return cut(source, i, source.block(i), at, header, volume, missing);
                }
                long lsn = block.getLong(at + 8);
                if (expected == 0 && lsn > firstLsn) {
                    throw new DamagedLogException(
                            source.name(i) + " starts at LSN " + lsn + ", but replay needs LSN " + firstLsn);
                }
                int length = block.getInt(at);
                if (kind == LogFormat.RECORD_END) {
                    ended = true;
                } else if (lsn >= firstLsn) {
                    ByteBuffer payload = block.duplicate()
                            .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                            .limit(at + LogFormat.RECORD_HEADER_BYTES + length)
                            .position(at + LogFormat.RECORD_HEADER_BYTES);
                    visitor.transaction(lsn, block.getLong(at + 16), payload);
                }
                expected = lsn + 1;
                at += LogFormat.recordBytes(length);
            }
        }
        return new End(expected == 0 ? firstLsn - 1 : expected - 1, source.count(), false);
    }

    /**
     * The segment from {@code from} on that starts with LSN {@code wanted}, or -1. An owner that took over never appends to an old segment, and leaves
     * the spares of its predecessor unused.
     */
    private int continuation(Source source, int from, long wanted, java.util.UUID volume)
            throws java.io.IOException, DamagedLogException {
        for (int i = from; i < source.count(); i++) {
            ByteBuffer block = source.block(i);
            if (check(
                            block,
                            LogFormat.HEADER_BYTES,
                            header(source, i, block, volume).salt(),
                            wanted)
                    >= 0) {
                return i;
            }
        }
        return -1;
    }

    private static LogFormat.Header header(Source source, int index, ByteBuffer block, java.util.UUID volume)
            throws DamagedLogException {
        try {
            LogFormat.Header header = LogFormat.decodeHeader(block);
            if (header.kind() != LogFormat.KIND_LOG
                    || !header.volume().equals(volume)
                    || header.sequence() != source.sequence(index)) {
                throw new DamagedLogException(source.name(index) + " belongs to another log or place");
            }
            return header;
        } catch (LogFormat.BadBlockException e) {
            throw new DamagedLogException(source.name(index) + ": " + e.getMessage());
        }
    }

    /** Kind of the valid record at {@code at}, or -1. {@code expected} 0 accepts any LSN. */
    private int check(ByteBuffer block, int at, long salt, long expected) {
        if (at + LogFormat.RECORD_HEADER_BYTES > LogFormat.SEGMENT_BYTES) {
            return -1;
        }
        int length = block.getInt(at);
        if (length < 0 || length > LogFormat.SEGMENT_BYTES - LogFormat.RECORD_HEADER_BYTES - at) {
            return -1;
        }
        int kind = block.getInt(at + 32);
        if (kind != LogFormat.RECORD_TRANSACTION && kind != LogFormat.RECORD_END) {
            return -1;
        }
        if (expected != 0 && block.getLong(at + 8) != expected) {
            return -1;
        }
        return LogFormat.recordCrc(crc, block, at, length, salt, scratch) == block.getInt(at + 4) ? kind : -1;
    }

    /** The record at {@code at} is missing or bad. Looks for proof that it once was durable. */
    private End cut(
            Source source,
            int index,
            ByteBuffer block,
            int at,
            LogFormat.Header header,
            java.util.UUID volume,
            long missing)
            throws java.io.IOException, DamagedLogException {
        boolean torn = at + 8 <= LogFormat.SEGMENT_BYTES && block.getInt(at) != 0 && block.getLong(at + 8) == missing;
        refuseIfProven(source.name(index), block, at, header.salt(), missing);
        for (int i = index + 1; i < source.count(); i++) {
            ByteBuffer later = source.block(i);
            LogFormat.Header laterHeader = header(source, i, later, volume);
            refuseIfProven(source.name(i), later, LogFormat.HEADER_BYTES, laterHeader.salt(), missing);
        }
        return new End(missing - 1, at == LogFormat.HEADER_BYTES ? index : index + 1, torn);
    }

    private void refuseIfProven(String name, ByteBuffer block, int from, long salt, long missing)
            throws DamagedLogException {
        for (int at = from; at + LogFormat.RECORD_HEADER_BYTES <= LogFormat.SEGMENT_BYTES; at += 8) {
            long lsn = block.getLong(at + 8);
            if (lsn > missing && lsn - missing < LogFormat.SEGMENT_BYTES && check(block, at, salt, 0) >= 0) {
                long durable = block.getLong(at + 24);
                if (sameBoot || durable >= missing) {
                    throw new DamagedLogException(name + ": the record with LSN " + missing + " is damaged, but LSN "
                            + lsn + " behind it is whole"
                            + (durable >= missing ? " and says that it was durable" : ""));
                }
            }
        }
    }
}
