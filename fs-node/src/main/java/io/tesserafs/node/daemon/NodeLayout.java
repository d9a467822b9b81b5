package io.tesserafs.node.daemon;

import java.nio.file.Path;

/** Where things are in the state directory of one node. */
public record NodeLayout(Path dir) {
    public NodeLayout {
        dir = dir.toAbsolutePath().normalize();
    }

    /** Node {@code number} of the cluster that {@code up} keeps in {@code clusterDir}. */
    public static NodeLayout of(Path clusterDir, int number) {
        return new NodeLayout(clusterDir.resolve("node" + number));
    }

    public Path config() {
        return dir.resolve("node.yaml");
    }

    public Path mount() {
        return dir.resolve("mnt");
    }

    public Path pool() {
        return dir.resolve("pool");
    }

    public Path secret() {
        return dir.resolve("cluster.secret");
    }

    public Path adminSocket() {
        return dir.resolve("admin.sock");
    }

    /** Held locked by the daemon for as long as it lives. */
    public Path lock() {
        return dir.resolve("tesserad.lock");
    }

    public Path pidFile() {
        return dir.resolve("tesserad.pid");
    }

    public Path logFile() {
        return dir.resolve("log/tesserad.log");
    }

    /** What the JVM itself prints: start-up failures and crashes. */
    public Path consoleFile() {
        return dir.resolve("log/console.log");
    }
}
