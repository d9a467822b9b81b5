package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.admin.NodeStatus;
import io.tesserafs.node.metrics.NodeMetrics;
import io.tesserafs.node.metrics.ProcessMemory;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What the command line can ask of a daemon, and what other daemons can. Handlers run on threads of their own. */
final class AdminCommands {
    private final NodeDaemon daemon;
    private final NodeServices services;
    private final NodeMetrics metrics;
    private final ClusterCommands cluster;
    private final OwnerCommands owners;
    private final VolumeCommands volumes;

    AdminCommands(NodeDaemon daemon, NodeServices services, NodeMetrics metrics) {
        this.daemon = daemon;
        this.services = services;
        this.metrics = metrics;
        ClusterOwners found = new ClusterOwners(services);
        this.cluster = new ClusterCommands(daemon, services);
        this.owners = new OwnerCommands(new OwnerRelay(found, OwnerRelay.OWNER_WAIT), services);
        this.volumes = new VolumeCommands(services, cluster, found, owners.anywhere("stat"));
    }

    /** For the operator of this node. */
    Map<String, AdminHandler> handlers() {
        Map<String, AdminHandler> handlers = new HashMap<>(owners.anywhere());
        handlers.put("ping", args -> ping());
        handlers.put("status", args -> status());
        handlers.put("metrics", args -> Map.of("text", metrics.prometheus()));
        handlers.put("nodes", args -> cluster.nodes());
        handlers.put("bricks", args -> cluster.bricks());
        handlers.put("volumes", args -> volumes.volumes());
        handlers.put("volume-create", volumes::create);
        handlers.put("mount", volumes::mount);
        handlers.put("umount", volumes::unmount);
        handlers.put("stat", volumes::stat);
        handlers.put("relocate", volumes::relocate);
        handlers.put("shutdown", this::shutdown);
        return handlers;
    }

    /** For other nodes, whose operators ask them what only this one can do. Nothing here asks others in turn. */
    Map<String, AdminHandler> peerHandlers() {
        Map<String, AdminHandler> handlers = new HashMap<>(owners.here());
        handlers.put("ping", args -> ping());
        handlers.put(VolumeRemoval.FORGET, volumes::forget);
        handlers.putAll(LooseData.handlers(services::ownedHere));
        return handlers;
    }

    private Map<String, String> ping() {
        String state = daemon.state().label();
        String rdmaKeys = services.fabric().rdmaKeys();
        return rdmaKeys == null ? Map.of("state", state) : Map.of("state", state, "rdmaKeys", rdmaKeys);
    }

    private NodeStatus status() throws AdminException {
        Runtime runtime = Runtime.getRuntime();
        Coordination coordination = services.coordination();
        return new NodeStatus(
                daemon.config().nodeId(),
                daemon.state().label(),
                daemon.config().stateDir().toString(),
                new NodeStatus.ProcessInfo(
                        ProcessHandle.current().pid(),
                        BuildInfo.version(),
                        Runtime.version().toString(),
                        daemon.uptime().toMillis(),
                        ProcessMemory.residentBytes(),
                        runtime.totalMemory() - runtime.freeMemory(),
                        runtime.maxMemory()),
                new NodeStatus.Coordination(
                        coordination.servers(),
                        coordination.embedded(),
                        coordination.connected(),
                        members(coordination)),
                List.of(brick()),
                volumes.volumes(),
                cluster.peers(),
                metrics.snapshot());
    }

    private static List<Integer> members(Coordination coordination) throws AdminException {
        try {
            return coordination.connected() ? coordination.members() : List.of();
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    private NodeStatus.Brick brick() {
        BrickInfo info = services.brick().brick().info();
        return new NodeStatus.Brick(
                info.brick().value(),
                info.pool().toString(),
                info.path(),
                info.kind(),
                info.persistence().name(),
                info.totalBlocks(),
                info.freeBlocks(),
                BlockId.BLOCK_BYTES,
                info.survivesReboot());
    }

    private Object shutdown(ObjectNode args) throws AdminException {
        try {
            services.unmountAll(args.path("force").asBoolean());
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
        daemon.requestStop();
        return Map.of();
    }
}
