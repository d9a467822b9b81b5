package io.tesserafs.coherence.membership;

import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How to reach a cluster.
 *
 * @param connectString of ZooKeeper: host:port[,host:port...]
 * @param cluster its name: letters, digits, '.', '_' and '-'
 * @param expectedId the cluster this node joined before; null for a node that has never been in one
 * @param password what all nodes of the cluster have, and nobody else: only who knows it reads or changes the cluster's entries; empty: anybody does
 * @param sessionTimeoutMs after that long without a word ZooKeeper drops a node's entries
 * @param connectTimeoutMs how long to wait for a server to answer at start
 */
public record ClusterConfig(
        String connectString,
        String cluster,
        @Nullable UUID expectedId,
        Optional<String> password,
        int sessionTimeoutMs,
        int connectTimeoutMs) {
    /** Long enough for a full garbage collection and a slow disk, short enough for failover within a coffee sip. */
    public static final int DEFAULT_SESSION_TIMEOUT_MS = 10_000;

    public static final int DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");

    public ClusterConfig {
        if (!NAME.matcher(cluster).matches()) {
            throw new IllegalArgumentException("Not a cluster name: '" + cluster + "'");
        }
    }

    public ClusterConfig(String connectString, String cluster, @Nullable UUID expectedId) {
        this(
                connectString,
                cluster,
                expectedId,
                Optional.empty(),
                DEFAULT_SESSION_TIMEOUT_MS,
                DEFAULT_CONNECT_TIMEOUT_MS);
    }

    /** Without the password, which log files are no place for. */
    @Override
    public String toString() {
        return "cluster '" + cluster + "' at " + connectString;
    }
}
