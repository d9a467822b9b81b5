package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.tcp.Handshake.Agreement;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives handshakes, of both sides, a limited time: a blocking wire knows none. Thread-safe. */
final class Reception {
    private static final Logger LOG = LoggerFactory.getLogger(Reception.class);

    private final ScheduledExecutorService timer;
    private final int timeoutMs;
    private final Set<Attempt> strangers = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    Reception(ScheduledExecutorService timer, int timeoutMs) {
        this.timer = timer;
        this.timeoutMs = timeoutMs;
    }

    /** A handshake. */
    interface Step {
        Agreement run(Attempt attempt) throws IOException;
    }

    /** Runs it; its wires are closed if it fails or takes too long. */
    Agreement inTime(Wire wire, Step step) throws IOException {
        Attempt attempt = new Attempt(wire);
        strangers.add(attempt);
        boolean done = false;
        try {
            attempt.limit(timeoutMs);
            Agreement agreement = step.run(attempt);
            done = attempt.end();
            if (!done) {
                throw new IOException("too late");
            }
            return agreement;
        } catch (IOException e) {
            if (attempt.late) {
                throw new PeerException(
                        Reason.UNREACHABLE,
                        wire.remote() + " did not show within " + attempt.limitMs + " ms who it is",
                        e);
            }
            throw e;
        } finally {
            strangers.remove(attempt);
            if (!done) {
                attempt.close();
            }
        }
    }

    /** A handshake under way. */
    final class Attempt {
        private volatile boolean late;
        private volatile int limitMs;

        /** Guarded by this, as are the next two. */
        private final List<Wire> wires = new ArrayList<>();

        private @Nullable Future<?> watchdog;
        private boolean over;

        private Attempt(Wire wire) {
            wires.add(wire);
        }

        /** From now on it has so much time. */
        synchronized void limit(int ms) throws PeerException {
            if (closed || over) {
                throw new PeerException(Reason.UNREACHABLE, "this transport is closed");
            }
            if (watchdog != null) {
                watchdog.cancel(false);
            }
            limitMs = ms;
            try {
                watchdog = timer.schedule(this::expire, ms, TimeUnit.MILLISECONDS);
            } catch (RejectedExecutionException e) {
                throw new PeerException(Reason.UNREACHABLE, "this transport is closed", e);
            }
        }

        /** One more to be closed if it fails or takes too long. */
        synchronized void add(Wire wire) {
            wires.add(wire);
            if (over) {
                closeQuietly(wire);
            }
        }

        private void expire() {
            late = true;
            close();
        }

        /** False if its wires are closed already. */
        private synchronized boolean end() {
            boolean inTime = !over;
            over = true;
            if (watchdog != null) {
                watchdog.cancel(false);
            }
            return inTime;
        }

        private synchronized void close() {
            end();
            wires.forEach(Reception::closeQuietly);
        }
    }

    /** Ends the handshakes under way. The timer is its owner's to stop. */
    void close() {
        closed = true;
        strangers.forEach(Attempt::close);
    }

    static void closeQuietly(Wire wire) {
        try {
            wire.close();
        } catch (IOException e) {
            LOG.warn("{}: closing it: {}", wire.remote(), e.getMessage());
        }
    }
}
