package io.tesserafs.node.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.fuse.protocol.SessionOptions;
import io.tesserafs.node.config.NodeConfig.AdminConfig;
import io.tesserafs.node.config.NodeConfig.CoordinationConfig;
import io.tesserafs.node.config.NodeConfig.FabricConfig;
import io.tesserafs.node.config.NodeConfig.LogConfig;
import io.tesserafs.node.config.NodeConfig.MountConfig;
import io.tesserafs.node.config.NodeConfig.PoolConfig;
import io.tesserafs.node.config.NodeConfig.VerbsConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The file's shape: what may be left out is null here and gets its default in {@link #resolve}. */
record NodeYaml(
        @JsonProperty("node") @Nullable Integer node,
        @JsonProperty("state") @Nullable String state,
        @JsonProperty("pool") @Nullable PoolYaml pool,
        @JsonProperty("coordination") @Nullable CoordinationYaml coordination,
        @JsonProperty("fabric") @Nullable FabricYaml fabric,
        @JsonProperty("mounts") @Nullable List<MountYaml> mounts,
        @JsonProperty("admin") @Nullable AdminYaml admin,
        @JsonProperty("log") @Nullable LogYaml log,
        @JsonProperty("shutdownTimeout") @Nullable Duration shutdownTimeout) {

    static final Duration SHUTDOWN_TIMEOUT = Duration.ofSeconds(30);

    record PoolYaml(
            @JsonProperty("path") @Nullable String path,
            @JsonProperty("size") @Nullable Size size) {
        static final Size SIZE = new Size(4L << 30);

        PoolConfig resolve(Path stateDir) {
            return new PoolConfig(within(stateDir, path, "pool"), size == null ? SIZE : size);
        }
    }

    record CoordinationYaml(
            @JsonProperty("connect") @Nullable String connect,
            @JsonProperty("cluster") @Nullable String cluster,
            @JsonProperty("dataDir") @Nullable String dataDir,
            @JsonProperty("sessionTimeout") @Nullable Duration sessionTimeout,
            @JsonProperty("leaseTerm") @Nullable Duration leaseTerm,
            @JsonProperty("port") @Nullable Integer port) {
        static final Duration SESSION_TIMEOUT = Duration.ofSeconds(4);
        static final Duration LEASE_TERM = Duration.ofMillis(SessionTerms.DEFAULT.termMs());

        /** Server and client are one process: a node that is silent for long was stopped, and nobody waits to take over. */
        static final Duration EMBEDDED_SESSION_TIMEOUT = Duration.ofSeconds(60);

        CoordinationConfig resolve(Path stateDir) {
            Optional<String> servers =
                    Optional.ofNullable(connect).map(String::strip).filter(text -> !text.isEmpty());
            Duration otherwise = servers.isPresent() ? SESSION_TIMEOUT : EMBEDDED_SESSION_TIMEOUT;
            return new CoordinationConfig(
                    servers,
                    cluster == null ? "tesserafs" : cluster,
                    within(stateDir, dataDir, "zookeeper"),
                    sessionTimeout == null ? otherwise : sessionTimeout,
                    leaseTerm == null ? LEASE_TERM : leaseTerm,
                    port == null ? 0 : port);
        }
    }

    record FabricYaml(
            @JsonProperty("listen") @Nullable String listen,
            @JsonProperty("advertise") @Nullable String advertise,
            @JsonProperty("secretFile") @Nullable String secretFile,
            @JsonProperty("tcpOnly") @Nullable Boolean tcpOnly,
            @JsonProperty("rdma") @Nullable String rdma,
            @JsonProperty("verbs") @Nullable VerbsYaml verbs) {
        /** Reaches no farther than this host: who wants more, says where to listen. */
        static final String LISTEN = "127.0.0.1:0";

        FabricConfig resolve(Path stateDir) {
            return new FabricConfig(
                    listen == null ? LISTEN : listen,
                    Optional.ofNullable(advertise),
                    within(stateDir, secretFile, "cluster.secret"),
                    tcpOnly != null && tcpOnly,
                    Optional.ofNullable(rdma),
                    (verbs == null ? new VerbsYaml(null, null) : verbs).resolve());
        }
    }

    record VerbsYaml(
            @JsonProperty("binding") @Nullable String binding,
            @JsonProperty("calls") @Nullable Boolean calls) {
        static final String BINDING = "rdma-core";

        VerbsConfig resolve() {
            return new VerbsConfig(VerbsConfig.Binding.of(binding == null ? BINDING : binding), calls == null || calls);
        }
    }

    record MountYaml(
            @JsonProperty("volume") @Nullable String volume,
            @JsonProperty("path") @Nullable String path,
            @JsonProperty("allowOther") @Nullable Boolean allowOther,
            @JsonProperty("readerThreads") @Nullable Integer readerThreads,
            @JsonProperty("cacheTimeout") @Nullable Duration cacheTimeout,
            @JsonProperty("readAhead") @Nullable Size readAhead,
            @JsonProperty("fuseMinor") @Nullable Integer fuseMinor) {
        static final Duration CACHE_TIMEOUT = Duration.ofSeconds(5);
        static final Size READ_AHEAD = new Size(1L << 20);

        MountConfig resolve(Path stateDir) {
            if (path == null) {
                throw new IllegalArgumentException("mounts: an entry has no path");
            }
            return new MountConfig(
                    volume == null ? "main" : volume,
                    within(stateDir, path, path),
                    allowOther == null || allowOther,
                    readerThreads == null ? 0 : readerThreads,
                    cacheTimeout == null ? CACHE_TIMEOUT : cacheTimeout,
                    readAhead == null ? READ_AHEAD : readAhead,
                    fuseMinor == null ? SessionOptions.MINOR_MAX : fuseMinor);
        }
    }

    record AdminYaml(@JsonProperty("socket") @Nullable String socket) {
        AdminConfig resolve(Path stateDir) {
            return new AdminConfig(within(stateDir, socket, "admin.sock"));
        }
    }

    record LogYaml(
            @JsonProperty("file") @Nullable String file,
            @JsonProperty("level") @Nullable String level,
            @JsonProperty("maxSize") @Nullable Size maxSize,
            @JsonProperty("files") @Nullable Integer files) {
        static final Size MAX_SIZE = new Size(16L << 20);
        static final int FILES = 4;

        LogConfig resolve(Path stateDir) {
            return new LogConfig(
                    Optional.ofNullable(file).map(name -> within(stateDir, name, name)),
                    level == null ? "INFO" : level,
                    maxSize == null ? MAX_SIZE : maxSize,
                    files == null ? FILES : files);
        }
    }

    NodeConfig resolve() {
        if (node == null) {
            throw new IllegalArgumentException("the key 'node' (this node's number) is missing");
        }
        if (state == null) {
            throw new IllegalArgumentException("the key 'state' (the daemon's directory) is missing");
        }
        Path stateDir = Path.of(state).normalize();
        List<MountYaml> listed = mounts == null ? List.of() : mounts;
        return new NodeConfig(
                node,
                stateDir,
                (pool == null ? new PoolYaml(null, null) : pool).resolve(stateDir),
                (coordination == null ? new CoordinationYaml(null, null, null, null, null, null) : coordination)
                        .resolve(stateDir),
                (fabric == null ? new FabricYaml(null, null, null, null, null, null) : fabric).resolve(stateDir),
                listed.stream().map(mount -> mount.resolve(stateDir)).toList(),
                (admin == null ? new AdminYaml(null) : admin).resolve(stateDir),
                (log == null ? new LogYaml(null, null, null, null) : log).resolve(stateDir),
                shutdownTimeout == null ? SHUTDOWN_TIMEOUT : shutdownTimeout);
    }

    private static Path within(Path stateDir, @Nullable String path, String otherwise) {
        return stateDir.resolve(path == null ? otherwise : path).normalize();
    }
}
