package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerId;
import java.net.InetSocketAddress;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a transport needs to know. Bytes on the network are neither encrypted nor authenticated after the handshake: the network
 * between the nodes is trusted.
 *
 * @param bind address and port to listen at; port 0 takes a free one
 * @param advertisedHost by which others reach this host; null for the address bound, or the host's own name if that is every address
 * @param cluster must be the same at both ends
 * @param secret must be the same at both ends; at least {@link #MIN_SECRET_BYTES}
 * @param pingIntervalMs how often a peer is asked for a sign of life
 * @param deadAfterMs a peer that gave none for so long is taken for dead and its connection closed
 * @param connectTimeoutMs to reach a peer, and again for the handshake, on either side
 */
public record TcpConfig(
        InetSocketAddress bind,
        @Nullable String advertisedHost,
        PeerId self,
        UUID cluster,
        byte[] secret,
        int pingIntervalMs,
        int deadAfterMs,
        int connectTimeoutMs) {
    /** Fewer can be guessed. */
    public static final int MIN_SECRET_BYTES = 16;

    /** Longer than a stop of the world at either end, shorter than what users take for a hang. */
    public static final int DEFAULT_DEAD_AFTER_MS = 5000;

    public static final int DEFAULT_PING_INTERVAL_MS = 1000;
    public static final int DEFAULT_CONNECT_TIMEOUT_MS = 5000;

    public TcpConfig {
        if (secret.length < MIN_SECRET_BYTES) {
            throw new IllegalArgumentException("a secret of " + secret.length + " bytes is too short");
        }
        if (pingIntervalMs < 1 || deadAfterMs <= pingIntervalMs || connectTimeoutMs < 1) {
            throw new IllegalArgumentException("intervals make no sense: ping " + pingIntervalMs + " ms, dead after "
                    + deadAfterMs + " ms, connect " + connectTimeoutMs + " ms");
        }
        secret = secret.clone();
    }

    public static TcpConfig of(InetSocketAddress bind, PeerId self, UUID cluster, byte[] secret) {
        return new TcpConfig(
                bind,
                null,
                self,
                cluster,
                secret,
                DEFAULT_PING_INTERVAL_MS,
                DEFAULT_DEAD_AFTER_MS,
                DEFAULT_CONNECT_TIMEOUT_MS);
    }

    public TcpConfig withAdvertisedHost(@Nullable String host) {
        return new TcpConfig(bind, host, self, cluster, secret, pingIntervalMs, deadAfterMs, connectTimeoutMs);
    }

    public TcpConfig withKeepAlive(int pingIntervalMs, int deadAfterMs) {
        return new TcpConfig(
                bind, advertisedHost, self, cluster, secret, pingIntervalMs, deadAfterMs, connectTimeoutMs);
    }

    public TcpConfig withConnectTimeout(int connectTimeoutMs) {
        return new TcpConfig(
                bind, advertisedHost, self, cluster, secret, pingIntervalMs, deadAfterMs, connectTimeoutMs);
    }

    /** A copy: the secret stays as it is. */
    @Override
    public byte[] secret() {
        return secret.clone();
    }

    /** Without the secret. */
    @Override
    public String toString() {
        return self + " of cluster " + cluster + " at " + bind;
    }
}
