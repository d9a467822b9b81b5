package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.verbs.ControlCodec.Prepared;
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
    synchronized Prepared prepare(BlockHandle handle) throws IOException {
        TargetKeys given = keys;
        if (given == null || closed) {
            throw new QueuePairException(this + " is not connected");
        }
        MemorySegment block = handle.memory();
        if (block == null) {
            throw new IOException("a block that is not mapped");
        }
        HandleKey key = LocalBrick.key(handle);
        Prepared prepared = given.give(key, block, handle.access() != Access.READ);
        if (!handle.alive()) {
            invalidate(key); // who killed it may have looked before it was entered
            throw new BrickException(Reason.DEAD_HANDLE, handle + " died while it was prepared");
        }
        return prepared;
    }

    /** Once it returns, no byte travels by the handle; the peer's attempts end its queue pair. */
    synchronized void invalidate(HandleKey key) throws IOException {
        TargetKeys given = keys;
        if (given == null || closed) {
            return;
        }
        try {
            given.take(key);
        } catch (IOException e) {
            LOG.debug("{} ends, as a key of it cannot be taken back alone: {}", this, e.getMessage());
            close();
        }
    }

    /** Ends the queue pair if the handle was prepared on it. */
    synchronized void closeIfReaching(HandleKey key) throws IOException {
        TargetKeys given = keys;
        if (given != null && given.reaches(key)) {
            close();
        }
    }

    /** Ends the queue pair and all it reached. Idempotent. */
    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        RdmaCmId connected = id;
        if (connected == null) {
            return;
        }
        tellPeer(connected);
        TargetKeys given = keys;
        QueuePairs.all(
                () -> {
                    if (given != null) {
                        given.close(connected::destroyQP);
                    }
                },
                connected::destroyId);
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
