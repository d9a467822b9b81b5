package io.tesserafs.node.admin;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code tessera status} shows of one node, on the wire and with {@code --json}. Fields are only ever added.
 *
 * @param state a state of the daemon's life cycle in lower case, or "stopped" if there is no daemon, or "unreachable"
 * @param peers the other nodes of the cluster, as this one sees them
 * @param metrics meter name (with tags) to value; see the metrics command for the Prometheus form
 */
public record NodeStatus(
        int node,
        String state,
        String dir,
        @Nullable ProcessInfo process,
        @Nullable Coordination coordination,
        List<Brick> bricks,
        List<Volume> volumes,
        List<PeerStatus> peers,
        Map<String, Double> metrics) {

    /** The daemon's process. Sizes in bytes. */
    public record ProcessInfo(
            long pid,
            String version,
            String java,
            long uptimeMs,
            long rssBytes,
            long heapUsedBytes,
            long heapMaxBytes) {}

    /** {@code servers} is the connect string; {@code embedded} whether this daemon runs the server itself. */
    public record Coordination(String servers, boolean embedded, boolean connected, List<Integer> members) {}

    /** A brick this node exports. */
    public record Brick(
            int brick,
            String pool,
            String path,
            String kind,
            String persistence,
            long totalBlocks,
            long freeBlocks,
            int blockBytes,
            boolean survivesReboot) {}

    /**
     * A volume of the cluster.
     *
     * @param role of this node: "owner" or "user"
     * @param owner node that owns it, as far as known; whether it answers, the sizes tell, which are 0 if it does not
     * @param epoch of the owner, 0 if that is not this node
     * @param mount where it is mounted on this node, if it is
     */
    public record Volume(
            String name,
            long id,
            String role,
            @Nullable Integer owner,
            long epoch,
            @Nullable String mount,
            long totalBytes,
            long freeBytes,
            long availableBytes,
            long inodes,
            long freeInodes) {}

    /** What is known of a node whose daemon does not answer. */
    public static NodeStatus without(int node, String dir, String state) {
        return new NodeStatus(node, state, dir, null, null, List.of(), List.of(), List.of(), Map.of());
    }
}
