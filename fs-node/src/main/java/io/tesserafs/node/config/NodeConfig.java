package io.tesserafs.node.config;

import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.fuse.protocol.SessionOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Everything one daemon is told. All paths are absolute. Read by {@link NodeConfigReader}; every key is described in
 * deploy/tesserad.example.yaml.
 *
 * @param stateDir what the daemon keeps besides the pool: coordination data, log, pid file, lock
 * @param shutdownTimeout how long an orderly stop may take before the process ends anyway
 */
public record NodeConfig(
        int nodeId,
        Path stateDir,
        PoolConfig pool,
        CoordinationConfig coordination,
        FabricConfig fabric,
        List<MountConfig> mounts,
        AdminConfig admin,
        LogConfig log,
        Duration shutdownTimeout) {
    /** Node ids and brick ids share this range: node K exports brick K. */
    public static final int MAX_NODE_ID = 0xFFFF;

    /** A volume is a ZooKeeper path element and part of the mount's name in mountinfo. */
    private static final Pattern VOLUME_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");

    public NodeConfig {
        require(nodeId >= 1 && nodeId <= MAX_NODE_ID, "node must be a number from 1 to " + MAX_NODE_ID);
        require(stateDir.isAbsolute(), "state must be an absolute path");
        require(
                mounts.stream().map(MountConfig::path).distinct().count() == mounts.size(),
                "two mounts have the same path");
        require(
                mounts.stream().map(MountConfig::volume).distinct().count() == mounts.size(),
                "a volume is listed twice under mounts; a node mounts each volume once");
        mounts = List.copyOf(mounts);
    }

    /**
     * The pool this node exports as a brick.
     *
     * @param size used when the pool is created; must match or be absent in meaning afterwards (the pool keeps its size)
     */
    public record PoolConfig(Path path, Size size) {
        /** Room for the log, a checkpoint, the reserve that makes deletes work on a full volume, and some data. */
        public static final long MIN_BYTES = 128L << 20;

        public PoolConfig {
            require(
                    size.bytes() >= MIN_BYTES,
                    "pool.size " + size + " is too small; the least is " + new Size(MIN_BYTES));
        }
    }

    /**
     * Where the cluster's ZooKeeper is.
     *
     * @param cluster name of the cluster there
     * @param connect external servers as {@code host:port,host:port}; empty = this daemon runs one itself, in {@code dataDir}
     * @param leaseTerm of the sessions with volumes that this node makes
     * @param port of the server that this daemon runs, on the loopback interface; 0 = any
     */
    public record CoordinationConfig(
            Optional<String> connect,
            String cluster,
            Path dataDir,
            Duration sessionTimeout,
            Duration leaseTerm,
            int port) {
        /** An eviction waits for the end of a lease, and is given a minute. */
        private static final Duration MAX_LEASE_TERM = Duration.ofSeconds(30);

        public CoordinationConfig {
            require(port >= 0 && port <= 0xFFFF, "coordination.port must be from 0 to 65535");
            require(
                    VOLUME_NAME.matcher(cluster).matches(),
                    "coordination.cluster is not a name: use letters, digits, '.', '_' and '-'");
            require(
                    sessionTimeout.toMillis() >= SessionTerms.MIN_MEMBERSHIP_MS
                            && sessionTimeout.compareTo(Duration.ofSeconds(60)) <= 0,
                    "coordination.sessionTimeout must be from 4s to 60s");
            require(
                    leaseTerm.toMillis() >= SessionTerms.DEFAULT.termMs() && leaseTerm.compareTo(MAX_LEASE_TERM) <= 0,
                    "coordination.leaseTerm must be from 7s to 30s");
        }
    }

    /**
     * How other nodes reach this one.
     *
     * @param listen address and port, as {@code host:port}; port 0 = any
     * @param advertise the address to tell others; empty = the one it listens at
     * @param secretFile what all nodes of the cluster share and nobody else knows; made if it is missing
     * @param tcpOnly do not map the pools of nodes on the same host
     * @param rdma an address of the RDMA device to be used; empty = no RDMA
     */
    public record FabricConfig(
            String listen,
            Optional<String> advertise,
            Path secretFile,
            boolean tcpOnly,
            Optional<String> rdma,
            VerbsConfig verbs) {
        public FabricConfig {
            require(listen.matches(".+:[0-9]{1,5}"), "fabric.listen must be host:port, not '" + listen + "'");
        }
    }

    /**
     * How RDMA is used, where it is.
     *
     * @param binding whose libraries
     * @param calls whether calls and notifications go by it too
     */
    public record VerbsConfig(Binding binding, boolean calls) {
        /** As configured: in lower case, with hyphens. */
        public enum Binding {
            /** Ours, on libibverbs and librdmacm. */
            RDMA_CORE,
            /** DiSNI's own, on its native library. */
            DISNI;

            static Binding of(String name) {
                return switch (name) {
                    case "rdma-core" -> RDMA_CORE;
                    case "disni" -> DISNI;
                    default ->
                        throw new IllegalArgumentException(
                                "fabric.verbs.binding must be rdma-core or disni, not '" + name + "'");
                };
            }
        }
    }

    /**
     * One volume in one place.
     *
     * @param readerThreads threads that read requests from the kernel; 0 chooses by the number of processors
     * @param cacheTimeout how long the kernel may use names and attributes without asking; must not exceed the lease
     */
    public record MountConfig(
            String volume,
            Path path,
            boolean allowOther,
            int readerThreads,
            Duration cacheTimeout,
            Size readAhead,
            int fuseMinor) {
        public MountConfig {
            requireVolumeName(volume);
            require(path.isAbsolute(), "mounts.path must be absolute");
            require(readerThreads >= 0 && readerThreads <= 256, "mounts.readerThreads must be from 0 to 256");
            require(
                    cacheTimeout.compareTo(Duration.ofHours(1)) <= 0,
                    "mounts.cacheTimeout must not be longer than an hour");
            require(readAhead.bytes() <= 64L << 20, "mounts.readAhead must not be more than 64M");
            require(
                    fuseMinor >= SessionOptions.MINOR_MIN && fuseMinor <= SessionOptions.MINOR_MAX,
                    "mounts.fuseMinor must be from " + SessionOptions.MINOR_MIN + " to " + SessionOptions.MINOR_MAX);
        }
    }

    /** The Unix domain socket of the command line. */
    public record AdminConfig(Path socket) {
        /** sockaddr_un.sun_path, with its terminating NUL. */
        public static final int MAX_SOCKET_PATH_BYTES = 107;

        public AdminConfig {
            int length = socket.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8).length;
            require(
                    length <= MAX_SOCKET_PATH_BYTES,
                    "admin.socket is too long a path for a Unix socket (" + length + " bytes, the limit is "
                            + MAX_SOCKET_PATH_BYTES + "): " + socket);
        }
    }

    /**
     * The daemon's log.
     *
     * @param file empty = standard error, for service managers
     * @param level a level of java.util.logging
     * @param files how many files of {@code maxSize} are kept
     */
    public record LogConfig(Optional<Path> file, String level, Size maxSize, int files) {
        private static final List<String> LEVELS = List.of("SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER");

        public LogConfig {
            require(LEVELS.contains(level), "log.level must be one of " + String.join(", ", LEVELS));
            require(maxSize.bytes() >= 64 << 10 && maxSize.bytes() <= 1L << 30, "log.maxSize must be from 64K to 1G");
            require(files >= 1 && files <= 100, "log.files must be from 1 to 100");
        }
    }

    /** Refuses what is not a usable volume name, with a message for users. */
    public static void requireVolumeName(String name) {
        require(
                VOLUME_NAME.matcher(name).matches(),
                "'" + name
                        + "' is not a volume name: use 1 to 63 letters, digits, '.', '_' and '-', a letter or digit first");
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
