package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Appends records to the segments of the log and makes them durable. {@link #append} is called under the owner's lock; it is a copy into
 * mapped memory and waits for nothing. {@link #flush} may be called by any number of threads: one does the work for all that wait.
 */
final class LogWriter {
    /** A prepared segment: formatted, durable and named by the manifest before it becomes current. {@code home}: on this process's brick. */
    record Segment(Manifest.Entry entry, long salt, BlockHandle home) {}

    /** A stretch of a segment. */
    record Range(Segment segment, int from, int to) {
        int bytes() {
            return to - from;
        }
    }

    /** What was appended since somebody last took note. */
    private final class Tail {
        private List<Range> sealed = new ArrayList<>();
        private int from;

        Tail(int from) {
            this.from = from;
        }

        /** The current segment is full. */
        void seal() {
            sealed.add(new Range(current, from, position));
            from = LogFormat.HEADER_BYTES;
        }

        List<Range> take() {
            List<Range> ranges = sealed;
            sealed = new ArrayList<>();
            if (position > from) {
                ranges.add(new Range(current, from, position));
                from = position;
            }
            return ranges;
        }
    }

    private final long epoch;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(LogFormat.SEGMENT_BYTES, 64);
    private final ByteBuffer view = LogFormat.view(buffer);
    private final CRC32C crc = new CRC32C();
    private final byte[] scratch = new byte[12];

    private final ArrayDeque<Segment> spares = new ArrayDeque<>();
    private Segment current;
    private int position;
    private final Tail unflushed = new Tail(LogFormat.HEADER_BYTES);
    /** Of a mirror; null if there is none. */
    private @Nullable Tail uncopied;

    private long lastLsn;

    private final ReentrantLock flushLock = new ReentrantLock();
    private volatile long durableLsn;
    /**
     * A flush has failed, or is under way. After a failure nothing of it is tried again: the kernel takes pages for clean that it could not write. Guarded by
     * the flush lock.
     */
    private boolean inDoubt;

    /** {@code first} is where the next record goes, at the start of its payload area; {@code lastLsn} is that of the record before it. */
    LogWriter(long epoch, Segment first, long lastLsn, long durableLsn) {
        this.epoch = epoch;
        this.current = first;
        this.position = LogFormat.HEADER_BYTES;
        this.lastLsn = lastLsn;
        this.durableLsn = durableLsn;
    }

    long lastLsn() {
        return lastLsn;
    }

    long durableLsn() {
        return durableLsn;
    }

    Segment current() {
        return current;
    }

    int spareCount() {
        return spares.size();
    }

    void addSpare(Segment segment) {
        spares.add(segment);
    }

    /** Segments that hold no record yet, in the order in which they will be used. */
    List<Segment> spares() {
        return List.copyOf(spares);
    }

    /** Whether a payload of {@code bytes} can be appended without a new segment being prepared first. */
    boolean hasRoom(int bytes) {
        return !spares.isEmpty() || fits(bytes);
    }

    private boolean fits(int payloadBytes) {
        return position + LogFormat.recordBytes(payloadBytes) + LogFormat.RECORD_HEADER_BYTES
                <= LogFormat.SEGMENT_BYTES;
    }

    /** Appends one transaction; when this returns it survives the death of this process. Returns its LSN. */
    long append(ByteBuffer payload) throws BrickException {
        int length = payload.remaining();
        if (length > LogFormat.MAX_PAYLOAD_BYTES) {
            throw new IllegalArgumentException("transaction of " + length + " bytes");
        }
        if (!fits(length)) {
            if (spares.isEmpty()) {
                throw new IllegalStateException("no prepared log segment");
            }
            write(LogFormat.RECORD_END, null, 0);
            unflushed.seal();
            if (uncopied != null) {
                uncopied.seal();
            }
            current = spares.remove();
            position = LogFormat.HEADER_BYTES;
        }
        return write(LogFormat.RECORD_TRANSACTION, payload, length);
    }

    private long write(int kind, @Nullable ByteBuffer payload, int length) throws BrickException {
        long lsn = lastLsn + 1;
        view.clear();
        view.putInt(length)
                .putInt(0)
                .putLong(lsn)
                .putLong(epoch)
                .putLong(durableLsn)
                .putInt(kind)
                .putInt(0);
        if (payload != null) {
            view.put(payload);
        }
        view.putInt(4, LogFormat.recordCrc(crc, view, 0, length, current.salt, scratch));
        int bytes = LogFormat.recordBytes(length);
        while (view.position() < bytes) {
            view.put((byte) 0);
        }
        current.home.write(position, buffer, 0, bytes);
        position += bytes;
        lastLsn = lsn;
        return lsn;
    }

    /** From now on what is appended is to be copied, and first what these segments have, of which one is current. */
    void beginCopy(List<Segment> growing) {
        Tail tail = new Tail(0);
        boolean full = true;
        for (Segment segment : growing) {
            if (segment.equals(current)) {
                full = false;
            } else {
                tail.sealed.add(new Range(segment, 0, full ? LogFormat.SEGMENT_BYTES : LogFormat.HEADER_BYTES));
            }
        }
        uncopied = tail;
    }

    void endCopy() {
        uncopied = null;
    }

    /** What was appended since the last call. */
    List<Range> takeUncopied() {
        return uncopied == null ? List.of() : uncopied.take();
    }

    /** The second copy of what is flushed. */
    interface Copy {
        /** Returns when the records up to {@code lsn}, which the ranges hold, are durable there too, or there is none any more. */
        void flush(List<Range> ranges, long lsn) throws FsException;
    }

    /**
     * Makes everything appended before the call durable. {@code ownerLock} is taken briefly to see what that is, and not held while
     * the device works.
     *
     * @throws BrickException this flush failed here, or one before it: nothing that is not durable yet will ever be
     */
    void flush(ReentrantLock ownerLock, Copy copy) throws BrickException, FsException {
        long target;
        ownerLock.lock();
        try {
            target = lastLsn;
        } finally {
            ownerLock.unlock();
        }
        if (durableLsn >= target) {
            return;
        }
        flushLock.lock();
        try {
            if (durableLsn >= target) {
                return; // whoever held the lock before us flushed for us too
            }
            if (inDoubt) {
                throw new BrickException(BrickException.Reason.IO, "an earlier flush has failed");
            }
            List<Range> ranges;
            long upTo;
            ownerLock.lock();
            try {
                ranges = unflushed.take();
                upTo = lastLsn;
            } finally {
                ownerLock.unlock();
            }
            inDoubt = true;
            for (Range range : ranges) {
                range.segment.home.flush(range.from, range.bytes());
            }
            inDoubt = false;
            copy.flush(ranges, upTo);
            durableLsn = upTo;
        } finally {
            flushLock.unlock();
        }
    }

    void close() {
        arena.close();
    }
}
