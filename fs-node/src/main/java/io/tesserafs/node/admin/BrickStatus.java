package io.tesserafs.node.admin;

import org.jspecify.annotations.Nullable;

/**
 * A brick as a node sees it, on the wire and with {@code --json}. Of a brick that does not answer, only what is registered is known. Fields are only ever
 * added.
 *
 * @param node that exports it, or did so last
 * @param state "up"; "silent" if its node is registered, but the brick does not answer; "down" if its node is not there
 * @param via how its bytes travel: "local", "shm" or "tcp"
 */
public record BrickStatus(
        int brick,
        int node,
        String state,
        @Nullable String via,
        String pool,
        String path,
        @Nullable String kind,
        @Nullable String persistence,
        long totalBlocks,
        @Nullable Long freeBlocks,
        int blockBytes,
        @Nullable Boolean survivesReboot) {
    public static final String UP = "up";
}
