package io.tesserafs.coherence.membership;

import java.util.List;
import java.util.Map;

/**
 * What a node tells the others.
 *
 * @param pid of the daemon
 * @param endpoints address by purpose, say {@code admin -> unix:/run/tessera/1/admin.sock}
 * @param bricks numbers of the bricks it exports
 * @param version of the software
 */
public record NodeInfo(
        NodeId id, String name, long pid, Map<String, String> endpoints, List<Integer> bricks, String version) {
    public NodeInfo {
        endpoints = Map.copyOf(endpoints);
        bricks = List.copyOf(bricks);
    }
}
