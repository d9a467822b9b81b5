package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.Handshake.Follower;
import io.tesserafs.fabric.tcp.Handshake.Host;
import io.tesserafs.fabric.tcp.Reception.Attempt;
import io.tesserafs.fabric.tcp.WireUpgrade.Invitation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which connections of a transport leave their socket, and how long that may take. A peer that is not alive is not waited for longer than
 * without: all of it happens after it has shown who it is. Thread-safe.
 */
final class Upgrades {
    private static final Logger LOG = LoggerFactory.getLogger(Upgrades.class);

    /** For a device that has to find its peer first. The peer is known to be alive by then. */
    private static final int MIN_FOLLOW_MS = 5000;

    /** Where it did not work it is not tried again so soon, as each time costs {@link #MIN_FOLLOW_MS} or more. */
    private static final long RETRY_AFTER_NS = TimeUnit.MINUTES.toNanos(1);

    private final int handshakeMs;
    private final int followMs;
    /** When it was last tried and not seen to work, by the monotonic clock, by endpoint. */
    private final ConcurrentMap<String, Long> failedAtNs = new ConcurrentHashMap<>();

    /** Endpoints of which the log says that it does not work. */
    private final Set<String> told = ConcurrentHashMap.newKeySet();

    private volatile @Nullable WireUpgrade upgrade;

    /** @param handshakeMs what the rest of a handshake may take */
    Upgrades(int handshakeMs) {
        this.handshakeMs = handshakeMs;
        this.followMs = Math.max(handshakeMs, MIN_FOLLOW_MS);
    }

    void use(WireUpgrade better) {
        upgrade = better;
    }

    /** Null if connections to the endpoint stay on their sockets. */
    @Nullable
    Follower follower(String endpoint, Attempt attempt) {
        WireUpgrade better = upgrade;
        Long failed = failedAtNs.get(endpoint);
        if (better == null || (failed != null && System.nanoTime() - failed < RETRY_AFTER_NS)) {
            return null;
        }
        return offer -> follow(better, endpoint, offer, attempt);
    }

    private @Nullable Wire follow(WireUpgrade better, String endpoint, ByteBuffer offer, Attempt attempt)
            throws IOException {
        attempt.limit(followMs + handshakeMs);
        failedAtNs.put(endpoint, System.nanoTime());
        try {
            Wire wire = better.follow(offer, followMs);
            attempt.add(wire);
            return wire;
        } catch (IOException | IllegalArgumentException e) {
            if (told.add(endpoint)) {
                LOG.warn("calls to {} go by TCP, as RDMA cannot be connected: {}", endpoint, e.getMessage());
            } else {
                LOG.debug("calls to {} go on by TCP: {}", endpoint, e.getMessage());
            }
            return null;
        }
    }

    /** The peer has answered on the wire that was followed. */
    void worked(String endpoint) {
        failedAtNs.remove(endpoint);
        told.remove(endpoint);
    }

    /** Null if connections stay on their sockets. */
    @Nullable
    Host host(Attempt attempt) {
        WireUpgrade better = upgrade;
        if (better == null) {
            return null;
        }
        return new Host() {
            @Override
            public @Nullable Invitation invite(PeerId peer) throws IOException {
                attempt.limit(followMs + handshakeMs);
                return better.invite(peer);
            }

            @Override
            public void arrived(Wire wire) {
                attempt.add(wire);
            }
        };
    }
}
