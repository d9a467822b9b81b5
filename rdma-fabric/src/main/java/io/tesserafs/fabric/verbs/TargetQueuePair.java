package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
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
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The passive end of one session's queue pair, and the regions it may reach: one registration for each handle that was prepared. Regions
 * belong to a protection domain of this queue pair alone, so that their keys are worth nothing on any other. Thread-safe.
 */
final class TargetQueuePair {
    private static final Logger LOG = LoggerFactory.getLogger(TargetQueuePair.class);

    private final RdmaCore core;
    private final int number;
    private final SessionId session;
    private final Ticket ticket;

    /** Guarded by this, as is the rest. */
    private final Map<HandleKey, IbvMr> regions = new HashMap<>();

    private @Nullable RdmaCmId id;
    private @Nullable IbvPd pd;
    private @Nullable IbvCQ completions;
    private boolean closed;

    TargetQueuePair(RdmaCore core, int number, SessionId session, Ticket ticket) {
        this.core = core;
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

    Ticket ticket() {
        return ticket;
    }

    /** Of a request to connect that showed the ticket. Returns false if it was closed meanwhile, or is connected already. */
    synchronized boolean accept(RdmaCmId from) throws IOException {
        if (closed || id != null) {
            return false;
        }
        id = from; // closed with this from now on
        IbvPd domain = from.getVerbs().allocPd();
        pd = domain;
        IbvCQ queue = from.getVerbs().createCQ(null, 2, 0);
        completions = queue;
        QueuePairs.create(from, domain, queue, 1, 0);
        from.accept(QueuePairs.parameters());
        return true;
    }

    /**
     * Registers the block of a handle.
     *
     * @throws BrickException DEAD_HANDLE if it died meanwhile
     */
    synchronized Prepared prepare(BlockHandle handle) throws IOException {
        IbvPd domain = pd;
        if (domain == null || closed) {
            throw new IOException("queue pair " + number + " is not connected");
        }
        HandleKey key = LocalBrick.key(handle);
        IbvMr region = regions.get(key);
        if (region == null) {
            MemorySegment memory = handle.memory();
            if (memory == null) {
                throw new IOException("a block that is not mapped");
            }
            int access = handle.access() == Access.READ
                    ? IbvMr.IBV_ACCESS_REMOTE_READ
                    : IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ;
            region = core.register(domain, memory, access);
            regions.put(key, region);
        }
        if (!handle.alive()) {
            invalidate(key); // who killed it may have looked before it was entered
            throw new BrickException(Reason.DEAD_HANDLE, handle + " died while it was prepared");
        }
        return new Prepared(region.getAddr(), region.getRkey());
    }

    /** Once it returns, no byte travels by the handle; the peer's attempts end its queue pair. */
    synchronized void invalidate(HandleKey key) throws IOException {
        IbvMr region = regions.remove(key);
        if (region != null) {
            core.deregister(region);
        }
    }

    /**
     * Ends the queue pair if the handle was prepared on it. The queue pair goes first: a device may hold a region for as long as a request
     * that has begun to arrive is not complete, and the peer may never complete it.
     */
    synchronized void closeIfReaching(HandleKey key) throws IOException {
        if (regions.containsKey(key)) {
            close();
        }
    }

    /** Ends the queue pair and all it reached. Idempotent. */
    synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        RdmaCmId connected = id;
        IbvCQ queue = completions;
        IbvPd domain = pd;
        if (connected != null) {
            tellPeer(connected);
        }
        QueuePairs.all(
                () -> {
                    if (connected != null) {
                        connected.destroyQP();
                    }
                },
                () -> {
                    for (IbvMr region : regions.values()) {
                        core.deregister(region);
                    }
                    regions.clear();
                },
                () -> {
                    if (queue != null) {
                        queue.destroyCQ();
                    }
                },
                () -> {
                    if (domain != null) {
                        domain.deallocPd();
                    }
                },
                () -> {
                    if (connected != null) {
                        connected.destroyId();
                    }
                });
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
