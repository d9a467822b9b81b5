package io.tesserafs.node.admin;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A node as the one that was asked sees it, on the wire and with {@code --json}. Fields are only ever added.
 *
 * @param state of its daemon's life cycle in lower case; "silent" if it is registered, but does not answer; "down" if it is known only by its brick
 * @param via how the bytes of its brick travel to the node that was asked: "local", "shm" or "tcp"; absent if they do not
 * @param roundTripUs of one small call, microseconds
 * @param address of its fabric endpoint
 */
public record PeerStatus(
        int node,
        String state,
        @Nullable String via,
        @Nullable Long roundTripUs,
        @Nullable String address,
        @Nullable Long pid,
        @Nullable String version,
        List<Integer> bricks) {
    public static final String SILENT = "silent";
    public static final String DOWN = "down";
}
