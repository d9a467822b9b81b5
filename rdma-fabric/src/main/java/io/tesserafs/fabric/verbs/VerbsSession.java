package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.ControlCodec.Prepared;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a client of a peer's brick has of RDMA: one queue pair at a time, connected when the first bytes want to travel (who only makes
 * calls, a fencing owner for one, must not wait for it). A queue pair that failed is replaced, and the target closes its
 * end of the old one before it offers the new, so that nothing that was on its way lands later. Thread-safe.
 */
final class VerbsSession {
    private static final Logger LOG = LoggerFactory.getLogger(VerbsSession.class);

    /** As long as a registration of a block may take on a target that is busy. */
    private static final long CALL_TIMEOUT_MS = 30_000;

    private final LocalDevice device;
    private final Connection connection;
    private final SessionId session;
    private final Traffic traffic;

    /** Guarded by this. */
    private @Nullable InitiatorQueuePair current;

    /** Written with this. */
    private volatile boolean over;

    VerbsSession(LocalDevice device, Connection connection, SessionId session, Traffic traffic) {
        this.device = device;
        this.connection = connection;
        this.session = session;
        this.traffic = traffic;
    }

    Traffic traffic() {
        return traffic;
    }

    /** Whether bytes go another way from now on. Does not wait for a connection that is being made. */
    boolean isOver() {
        return over;
    }

    /** One that has not failed yet; connects it if need be. */
    synchronized InitiatorQueuePair queuePair() throws IOException {
        if (over) {
            throw new IOException("RDMA to " + connection + " was given up");
        }
        InitiatorQueuePair old = current;
        if (old != null && old.isUsable()) {
            return old;
        }
        current = null;
        if (old != null) {
            old.close();
        }
        ByteBuffer answer = call(ControlCodec.open(old == null ? 0 : old.number(), session));
        if (ControlCodec.takeStatus(answer) != ControlCodec.DONE) {
            throw new IOException(connection + " offers no RDMA");
        }
        Offer offer = ControlCodec.takeOffer(answer);
        try {
            InitiatorQueuePair fresh = new InitiatorQueuePair(device, offer);
            current = fresh;
            return fresh;
        } catch (IOException e) {
            call(ControlCodec.close(offer.number()));
            throw e;
        }
    }

    /** @throws BrickException DEAD_HANDLE as the target says */
    Prepared prepare(InitiatorQueuePair qp, HandleKey key) throws IOException {
        ByteBuffer answer = call(ControlCodec.prepare(qp.number(), key));
        int status = ControlCodec.takeStatus(answer);
        return switch (status) {
            case ControlCodec.DONE -> ControlCodec.takePrepared(answer);
            case ControlCodec.DEAD -> throw new BrickException(Reason.DEAD_HANDLE, "the brick says: dead");
            case ControlCodec.BROKEN -> {
                qp.fail();
                throw new QueuePairException(qp + " has ended, as its target says");
            }
            default -> throw new IOException("the block cannot be reached by RDMA (" + status + ")");
        };
    }

    private ByteBuffer call(ByteBuffer request) throws PeerException {
        return connection.call(VerbsBricks.SERVICE, request, CALL_TIMEOUT_MS);
    }

    /** Ends the queue pair at both ends; later bytes go another way. Idempotent. */
    void giveUp(String reason) {
        InitiatorQueuePair old;
        synchronized (this) {
            if (over) {
                return;
            }
            over = true;
            old = current;
            current = null;
        }
        traffic.gaveUp();
        LOG.info("no RDMA to {} any more: {}", connection, reason);
        end(old);
    }

    /** Idempotent. */
    void close() {
        InitiatorQueuePair old;
        synchronized (this) {
            over = true;
            old = current;
            current = null;
        }
        end(old);
    }

    private void end(@Nullable InitiatorQueuePair old) {
        if (old == null) {
            return;
        }
        try {
            old.close();
        } catch (IOException e) {
            LOG.warn("{}: {}", old, e.getMessage());
        }
        try {
            call(ControlCodec.close(old.number()));
        } catch (PeerException e) {
            LOG.debug("{} ends with its connection", old, e);
        }
    }
}
