package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.verbs.ControlCodec.Ticket;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The passive end of one session's queue pair, and the keys of what it may reach: one for each handle that was prepared, worth nothing on
 * any other queue pair. Thread-safe.
 */
final class TargetQueuePair implements Door.Visitor {
    private static final Logger LOG = LoggerFactory.getLogger(TargetQueuePair.class);

    private final TargetMemory memory;
    private final int number;
    private final SessionId session;
    private final Ticket ticket;

    /** Guarded by this, as is the rest. */
    private @Nullable RdmaCmId id;

    private @Nullable TargetKeys keys;
    private boolean closed;

    private boolean complained;

    /** Why keys may have outlived the end. */
    private @Nullable IOException leftover;

    TargetQueuePair(TargetMemory memory, int number, SessionId session, Ticket ticket) {
        this.memory = memory;
        this.number = number;
        this.session = session;
        this.ticket = ticket;
    }

    int number() {
        return number;
    }

    SessionId session() {
        return session;
    }

    @Override
    public Ticket ticket() {
        return ticket;
    }

    /** For the log: that keys cannot be made is said once. */
    synchronized boolean isFirstComplaint() {
        boolean first = !complained;
        complained = true;
        return first;
    }

    /** Of a request to connect that showed the ticket. Returns false if it was closed meanwhile, or is connected already. */
    @Override
    public synchronized boolean accept(RdmaCmId from) throws IOException {
        if (closed || id != null) {
            return false;
        }
        id = from; // closed with this from now on
        keys = memory.connect(from);
        from.accept(QueuePairs.parameters());
        return true;
    }

    /**
     * Gives the peer a key to the block of a handle.
     *
     * @throws BrickException DEAD_HANDLE if it died meanwhile
     * @throws QueuePairException if the queue pair has ended
     */
    synchronized RemoteKey prepare(BlockHandle handle) throws IOException {
        TargetKeys given = keys;
        if (given == null || closed) {
            throw new QueuePairException(this + " is not connected");
        }
        MemorySegment block = handle.memory();
        if (block == null) {
            throw new IOException("a block that is not mapped");
        }
        HandleKey key = LocalBrick.key(handle);
        RemoteKey prepared = give(given, key, block, handle.access() != Access.READ);
        if (!handle.alive()) {
            invalidate(key); // who killed it may have looked before it was entered
            throw new BrickException(Reason.DEAD_HANDLE, handle + " died while it was prepared");
        }
        return prepared;
    }

    private RemoteKey give(TargetKeys given, HandleKey key, MemorySegment block, boolean writable) throws IOException {
        try {
            return given.give(key, block, writable);
        } catch (UnreturnedException e) {
            close(); // its late completion would be taken for that of the next request
            throw new QueuePairException(this + " ends: " + e.getMessage(), e);
        }
    }

    /**
     * Once it returns, no byte travels by the handle; the peer's attempts end its queue pair.
     *
     * @throws IOException one may
     */
    synchronized void invalidate(HandleKey key) throws IOException {
        TargetKeys given = keys;
        if (given == null) {
            return;
        }
        if (closed) {
            checkNotLeftOver(given, key);
            return;
        }
        try {
            given.take(key);
        } catch (IOException | RuntimeException e) {
            LOG.debug("{} ends, as a key of it cannot be taken back alone: {}", this, e.getMessage());
            close();
        }
    }

    /** As {@link #invalidate}, but ends the queue pair if the handle was prepared on it. */
    synchronized void closeIfReaching(HandleKey key) throws IOException {
        TargetKeys given = keys;
        if (given != null && given.reaches(key)) {
            close();
            checkNotLeftOver(given, key);
        }
    }

    private void checkNotLeftOver(TargetKeys given, HandleKey key) throws IOException {
        if (leftover != null && given.reaches(key)) {
            throw new IOException(this + " has ended, but its keys may be good: " + leftover.getMessage(), leftover);
        }
    }

    /**
     * Ends the queue pair and all it reached. Idempotent.
     *
     * @throws IOException if something may still be reached; each time
     */
    @Override
    public synchronized void close() throws IOException {
        if (!closed) {
            closed = true;
            RdmaCmId connected = id;
            if (connected != null) {
                end(connected);
            }
        }
        if (leftover != null) {
            throw new IOException(this + ": " + leftover.getMessage(), leftover);
        }
    }

    private void end(RdmaCmId connected) {
        tellPeer(connected);
        TargetKeys given = keys;
        if (given != null) {
            try {
                given.close(connected::destroyQP);
            } catch (IOException e) {
                LOG.warn("{} is not ended as it should be: {}", this, e.getMessage());
                leftover = given.reachesAny() ? e : null;
            }
        }
        try {
            connected.destroyId();
        } catch (IOException e) {
            LOG.warn("{}: its connection is not destroyed: {}", this, e.getMessage());
        }
    }

    /** So that the peer need not find out by sending in vain, which takes it many seconds. */
    private void tellPeer(RdmaCmId connected) {
        try {
            connected.disconnect();
        } catch (IOException e) {
            LOG.debug("{} was not connected any more: {}", this, e.getMessage());
        }
    }

    @Override
    public String toString() {
        return "queue pair " + number + " of session " + session;
    }
}
