package io.tesserafs.node.config;

import io.tesserafs.node.config.NodeConfig.PoolConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Writes the configuration of a node that {@code tessera up} creates. Everything not named there has its default. */
public final class NodeConfigWriter {
    private NodeConfigWriter() {}

    /**
     * A node's part in a cluster on this machine.
     *
     * @param zooKeeperPort on the loopback interface
     * @param runsZooKeeper whether it is this node that runs the server
     */
    public record Local(int zooKeeperPort, boolean runsZooKeeper, Path secretFile) {}

    /** The file appears complete or not at all. */
    public static void write(Path file, int node, Path stateDir, PoolConfig pool, Path mount, Local local)
            throws IOException {
        String coordination = local.runsZooKeeper
                ? "port: " + local.zooKeeperPort
                : "connect: 127.0.0.1:" + local.zooKeeperPort + "\n  sessionTimeout: 4s";
        String text = """
                # Written by 'tessera up'; yours to edit while the node is down.
                # All keys and their meaning: deploy/tesserad.example.yaml
                node: %d
                state: %s
                pool:
                  path: %s
                  size: %s
                coordination:
                  %s
                fabric:
                  secretFile: %s
                mounts:
                  - volume: main
                    path: %s
                log:
                  file: log/tesserad.log
                """.formatted(
                        node,
                        quote(stateDir),
                        quote(pool.path()),
                        pool.size(),
                        coordination,
                        quote(local.secretFile),
                        quote(mount));
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.writeString(fresh, text);
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** A YAML double-quoted scalar. */
    private static String quote(Path path) {
        StringBuilder quoted = new StringBuilder("\"");
        path.toString().chars().forEach(c -> {
            if (c == '"' || c == '\\') {
                quoted.append('\\').append((char) c);
            } else if (c < ' ' || c == 0x7f) {
                quoted.append(String.format("\\x%02x", c));
            } else {
                quoted.append((char) c);
            }
        });
        return quoted.append('"').toString();
    }
}
