package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * What the requests of one mount share: what was negotiated, memory, counters, and who is detached.
 *
 * <p><b>Life.</b> Reader threads use their channels freely, since channels are closed only after the readers ended. Everybody else
 * (detached requests, notifications) sends through {@link #sendShared}, which holds a read lock so that {@link #shut} cannot
 * let a descriptor be closed, and its number be given to another file, under a system call.
 */
final class Connection {
    private static final long DRAIN_POLL_NS = 1_000_000;

    final Negotiated negotiated;
    final BufferPool pool;
    final FuseStats stats;

    private final List<RequestLoop> loops = new CopyOnWriteArrayList<>();
    private final ConcurrentHashMap<Long, PendingRequest> detached = new ConcurrentHashMap<>();
    private final ReentrantReadWriteLock open = new ReentrantReadWriteLock();
    private boolean shut; // guarded by open

    Connection(Negotiated negotiated, BufferPool pool, FuseStats stats) {
        this.negotiated = negotiated;
        this.pool = pool;
        this.stats = stats;
    }

    void addLoop(RequestLoop loop) {
        loops.add(loop);
    }

    void addDetached(PendingRequest request) {
        detached.put(request.unique(), request);
        stats.detached.increment();
    }

    void removeDetached(PendingRequest request) {
        detached.remove(request.unique(), request);
    }

    int detachedCount() {
        return detached.size();
    }

    /** From any thread that is not a reader: 0 or the errno, ENODEV once the connection is shut. */
    int sendShared(Channel channel, MemorySegment capture, long address, long length) {
        open.readLock().lock();
        try {
            return shut ? Errno.ENODEV : channel.send(capture, address, length);
        } finally {
            open.readLock().unlock();
        }
    }

    /** As {@link #sendShared}, gathered. */
    int sendSharedGathered(Channel channel, MemorySegment capture, long iovecs, int count) {
        open.readLock().lock();
        try {
            return shut ? Errno.ENODEV : channel.sendGathered(capture, iovecs, count);
        } finally {
            open.readLock().unlock();
        }
    }

    /** After this no thread but the readers sends, or ever will. */
    void shut() {
        open.writeLock().lock();
        try {
            shut = true;
        } finally {
            open.writeLock().unlock();
        }
    }

    /**
     * Marks the request {@code unique} as interrupted, wherever it is. False if no reader has it and it is not detached: it is
     * answered already, or a reader has received it and not looked at it yet.
     */
    boolean interrupt(long unique) {
        // Readers before the map: a request that detaches is in the map before it leaves its reader.
        for (RequestLoop loop : loops) {
            PendingRequest request = loop.current();
            if (request.isInProgress(unique)) {
                request.interrupt(unique);
                return true;
            }
        }
        PendingRequest request = detached.get(unique);
        if (request == null) {
            return false;
        }
        request.interrupt(unique);
        return true;
    }

    /** Every channel answers are sent on. */
    Set<Channel> channels() {
        Set<Channel> channels = ConcurrentHashMap.newKeySet();
        loops.forEach(loop -> channels.add(loop.channel()));
        return channels;
    }

    /** Interrupts all detached requests and waits for their answers; false if some are left after {@code timeoutNs}. */
    boolean drainDetached(long timeoutNs) {
        detached.forEach((unique, request) -> request.interrupt(unique));
        long start = System.nanoTime();
        while (!detached.isEmpty()) {
            if (System.nanoTime() - start > timeoutNs) {
                return false;
            }
            LockSupport.parkNanos(DRAIN_POLL_NS);
        }
        return true;
    }
}
