package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.ControlCodec.Outcome;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
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

    /**
     * After so many in a row no more FLUSH is tried: one may fail because a key died, or with its queue pair for another's sake, but not each.
     */
    private static final int MAX_FLUSH_FAILURES = 3;

    private final LocalDevice device;
    private final Connection connection;
    private final SessionId session;
    private final Traffic traffic;

    private final AtomicInteger flushFailures = new AtomicInteger();

    /** Once it is made, nothing of the last queue pair lands any more. */
    private final Ending ending = new Ending();

    /** Written with this. One that failed stays here until another is offered in its place, so that whoever gives up ends it. */
    private volatile @Nullable InitiatorQueuePair current;

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

    /** Whether the target's device is still trusted with FLUSH. */
    boolean mayFlushByDevice() {
        return flushFailures.get() < MAX_FLUSH_FAILURES;
    }

    void flushedByDevice() {
        flushFailures.set(0);
        traffic.flushed();
    }

    void flushFailed(String reason) {
        if (flushFailures.incrementAndGet() == MAX_FLUSH_FAILURES) {
            LOG.warn("{}: FLUSH fails again and again, so it is not used any more: {}", connection, reason);
        }
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
            if (old == null) {
                LOG.info("{}: bytes by RDMA, flush by {}", connection, flushWay(fresh));
            }
            return fresh;
        } catch (IOException | RuntimeException | Error e) {
            call(ControlCodec.close(offer.number()));
            throw e;
        }
    }

    /** After its queue pair failed: connects another, before which the target ends the old one, or gives up. Then nothing that was posted lands any more. */
    void replace() {
        try {
            queuePair();
        } catch (PeerException e) {
            switch (e.reason()) {
                case UNREACHABLE, LOST -> {} // handles end with the connection, and know what that means for a write
                case REFUSED, BAD_REQUEST, FAILED -> giveUp(String.valueOf(e.getMessage()));
            }
        } catch (IOException e) {
            giveUp(String.valueOf(e.getMessage()));
        }
    }

    /** The one that bytes travel by now; null if there is none. Does not wait. */
    @Nullable
    InitiatorQueuePair live() {
        InitiatorQueuePair known = current;
        return over || known == null || !known.isUsable() ? null : known;
    }

    /** What the target says of each handle, in the same order. */
    List<Outcome> prepare(InitiatorQueuePair qp, List<HandleKey> keys) throws IOException {
        ByteBuffer answer = call(ControlCodec.prepare(qp.number(), keys));
        int status = ControlCodec.takeStatus(answer);
        return switch (status) {
            case ControlCodec.DONE -> ControlCodec.takePrepared(keys.size(), answer);
            case ControlCodec.BROKEN -> {
                qp.fail();
                throw new QueuePairException(qp + " has ended, as its target says");
            }
            default -> throw new IOException("blocks cannot be reached by RDMA (" + status + ")");
        };
    }

    private static String flushWay(InitiatorQueuePair qp) {
        String other = qp.flushByTarget() ? "a call to it" : "a READ behind the writes";
        return qp.flushByDevice() ? "FLUSH between the devices, else by " + other : other;
    }

    private ByteBuffer call(ByteBuffer request) throws PeerException {
        return connection.call(VerbsBricks.SERVICE, request, CALL_TIMEOUT_MS);
    }

    /**
     * Ends the queue pair at both ends; later bytes go another way. Idempotent. When it returns, nothing that was posted lands any more,
     * also if somebody else gave up first.
     */
    void giveUp(String reason) {
        ending.run(() -> {
            traffic.gaveUp();
            LOG.info("no RDMA to {} any more: {}", connection, reason);
            end();
        });
    }

    /** As {@link #giveUp}. */
    void close() {
        ending.run(this::end);
    }

    private void end() {
        InitiatorQueuePair old;
        synchronized (this) {
            over = true;
            old = current;
            current = null;
        }
        if (old != null) {
            end(old);
        }
    }

    private void end(InitiatorQueuePair old) {
        try {
            old.close();
        } catch (IOException e) {
            LOG.warn("{}: {}", old, e.getMessage());
        }
        try {
            call(ControlCodec.close(old.number()));
        } catch (PeerException e) {
            // If only the answer is missing, what this host's device had sent before has arrived long ago.
            LOG.debug("{} ends with its connection", old, e);
        }
    }
}
