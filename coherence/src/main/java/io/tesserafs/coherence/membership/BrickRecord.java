package io.tesserafs.coherence.membership;

import java.util.UUID;

/**
 * A brick as the cluster knows it, whether its node is up or not.
 *
 * @param brick its number
 * @param pool the UUID in the pool's header
 * @param node that exported it last
 * @param path of the pool there
 */
public record BrickRecord(int brick, UUID pool, NodeId node, String path, long sizeBytes) {}
