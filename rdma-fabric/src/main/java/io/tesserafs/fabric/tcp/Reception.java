package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.tcp.Handshake.Agreement;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives handshakes, of both sides, a limited time: a blocking socket knows none. Thread-safe. */
final class Reception {
    private static final Logger LOG = LoggerFactory.getLogger(Reception.class);

    private final ScheduledExecutorService timer;
    private final int timeoutMs;
    private final Set<Wire> strangers = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    Reception(ScheduledExecutorService timer, int timeoutMs) {
        this.timer = timer;
        this.timeoutMs = timeoutMs;
    }

    /** A handshake. */
    interface Step {
        Agreement run() throws IOException;
    }

    /** Runs it; the wire is closed if it fails or takes too long. */
    Agreement inTime(Wire wire, Step step) throws IOException {
        AtomicBoolean late = new AtomicBoolean();
        strangers.add(wire);
        Future<?> watchdog = watch(wire, late);
        boolean done = false;
        try {
            if (closed) {
                throw new PeerException(Reason.UNREACHABLE, "this transport is closed");
            }
            Agreement agreement = step.run();
            done = watchdog.cancel(false);
            if (!done) {
                throw new IOException("too late");
            }
            return agreement;
        } catch (IOException e) {
            if (late.get()) {
                throw new PeerException(
                        Reason.UNREACHABLE, wire.remote() + " did not show within " + timeoutMs + " ms who it is", e);
            }
            throw e;
        } finally {
            strangers.remove(wire);
            watchdog.cancel(false);
            if (!done) {
                closeQuietly(wire);
            }
        }
    }

    private Future<?> watch(Wire wire, AtomicBoolean late) throws PeerException {
        try {
            return timer.schedule(
                    () -> {
                        late.set(true);
                        closeQuietly(wire);
                    },
                    timeoutMs,
                    TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            strangers.remove(wire);
            closeQuietly(wire);
            throw new PeerException(Reason.UNREACHABLE, "this transport is closed", e);
        }
    }

    /** Ends the handshakes under way. The timer is its owner's to stop. */
    void close() {
        closed = true;
        strangers.forEach(Reception::closeQuietly);
    }

    static void closeQuietly(Wire wire) {
        try {
            wire.close();
        } catch (IOException e) {
            LOG.warn("{}: closing the socket: {}", wire.remote(), e.getMessage());
        }
    }
}
