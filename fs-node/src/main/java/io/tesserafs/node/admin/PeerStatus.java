package io.tesserafs.node.admin;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A node as the one that was asked sees it, on the wire and with {@code --json}. Fields are only ever added.
 *
 * @param state of its daemon's life cycle in lower case; "silent" if it is registered, but does not answer; "down" if it is known only by its brick
 * @param via how the bytes of its brick travel to the node that was asked: "local", "shm", "verbs" or "tcp"; absent if they do not
 * @param rdmaKeys how it takes back the keys by which others reach its bricks by RDMA: "registration" or "window"; absent if it offers no RDMA
 * @param calls what carries calls from the node that was asked: "tcp" or "verbs"; absent if nothing does
 * @param roundTripUs of one small call, microseconds
 * @param address of its fabric endpoint
 */
public record PeerStatus(
        int node,
        String state,
        @Nullable String via,
        @Nullable String rdmaKeys,
        @Nullable String calls,
        @Nullable Long roundTripUs,
        @Nullable String address,
        @Nullable Long pid,
        @Nullable String version,
        List<Integer> bricks) {
    public static final String SILENT = "silent";
    public static final String DOWN = "down";
}
