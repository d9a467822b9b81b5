package io.tesserafs.node.session;

import io.tesserafs.coherence.session.SessionTable;
import io.tesserafs.fabric.brick.SessionId;

/**
 * A session at one moment, for people.
 *
 * @param local of the owner's own process
 * @param awaited the last owner had it, and its node has not been heard of since
 * @param silentNs since its node was last heard of
 */
public record SessionView(
        SessionId id, int node, boolean local, SessionTable.State state, boolean awaited, long silentNs) {}
