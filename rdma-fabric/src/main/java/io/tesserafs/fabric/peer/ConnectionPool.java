package io.tesserafs.fabric.peer;

import io.tesserafs.fabric.peer.PeerException.Reason;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One connection per endpoint, made when it is first wanted and made anew when it is wanted after it ended. An endpoint that cannot be
 * reached is left alone for a while, so that its many users do not each wait for it. Thread-safe.
 */
public final class ConnectionPool {
    private static final long FIRST_BACKOFF_MS = 50;
    private static final long MAX_BACKOFF_MS = 2000;

    private final Transport transport;
    private final LongSupplier clockNs;
    private final ConcurrentMap<String, Slot> slots = new ConcurrentHashMap<>();

    public ConnectionPool(Transport transport) {
        this(transport, System::nanoTime);
    }

    /** @param clockNs monotonic */
    ConnectionPool(Transport transport, LongSupplier clockNs) {
        this.transport = transport;
        this.clockNs = clockNs;
    }

    /** An open connection to the endpoint; one user makes it while the others wait. */
    public Connection get(String endpoint) throws PeerException {
        return slots.computeIfAbsent(endpoint, Slot::new).get();
    }

    private final class Slot {
        private final String endpoint;
        private final ReentrantLock connecting = new ReentrantLock();
        private volatile @Nullable Connection connection;

        /** Guarded by connecting, as are the next two. */
        private long backoffMs;

        private long failedAtNs;
        private @Nullable PeerException failure;

        Slot(String endpoint) {
            this.endpoint = endpoint;
        }

        Connection get() throws PeerException {
            Connection open = open();
            if (open != null) {
                return open;
            }
            connecting.lock();
            try {
                open = open();
                return open == null ? connect() : open;
            } finally {
                connecting.unlock();
            }
        }

        private @Nullable Connection open() {
            Connection current = connection;
            return current != null && current.isOpen() ? current : null;
        }

        private Connection connect() throws PeerException {
            PeerException last = failure;
            if (last != null && clockNs.getAsLong() - failedAtNs < backoffMs * 1_000_000) {
                throw new PeerException(Reason.UNREACHABLE, "not tried again yet: " + last.getMessage(), last);
            }
            try {
                Connection fresh = transport.connect(endpoint);
                connection = fresh;
                failure = null;
                backoffMs = 0;
                return fresh;
            } catch (PeerException e) {
                failure = e;
                failedAtNs = clockNs.getAsLong();
                backoffMs = Math.min(MAX_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, 2 * backoffMs));
                throw e;
            }
        }
    }
}
