package io.tesserafs.node.daemon;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.admin.BrickStatus;
import io.tesserafs.node.admin.Json;
import io.tesserafs.node.admin.NodeStatus;
import io.tesserafs.node.data.Relocated;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Commands about volumes and mounts that this node carries out itself. */
final class VolumeCommands {
    private static final Logger LOG = LoggerFactory.getLogger(VolumeCommands.class);

    /** Of a file's relocation, before whoever asked hears of it and asks for more. */
    private static final Duration RELOCATION_STEP = Duration.ofSeconds(20);

    /** Files end before. */
    private static final long MAX_TILE = Long.MAX_VALUE / BlockId.BLOCK_BYTES;

    private final NodeServices services;
    private final ClusterCommands cluster;
    private final ClusterOwners owners;
    private final AdminHandler statAtOwner;

    VolumeCommands(NodeServices services, ClusterCommands cluster, ClusterOwners owners, AdminHandler statAtOwner) {
        this.services = services;
        this.cluster = cluster;
        this.owners = owners;
        this.statAtOwner = statAtOwner;
    }

    /** A volume as this node knows it by itself. */
    static NodeStatus.Volume describe(OpenVolume volume) {
        Optional<VolumeOwner> owner = volume.owner();
        VolumeService.Statistics s = owner.map(VolumeOwner::statistics)
                .orElse(new VolumeService.Statistics(0, 0, 0, BlockId.BLOCK_BYTES, 0, 0));
        Path mount = volume.mountPoint();
        return new NodeStatus.Volume(
                volume.info().name(),
                volume.info().number(),
                owner.isPresent() ? "owner" : "user",
                null,
                volume.ownership().epoch(),
                mount == null ? null : mount.toString(),
                s.blocks() * s.blockBytes(),
                s.free() * s.blockBytes(),
                s.available() * s.blockBytes(),
                s.inodes(),
                s.freeInodes());
    }

    /** All volumes of the cluster; sizes are 0 where the owner does not answer. */
    List<NodeStatus.Volume> volumes() {
        services.refresh();
        return Together.ask(services.volumes(), this::describeWithOwner);
    }

    private NodeStatus.Volume describeWithOwner(OpenVolume volume) {
        NodeStatus.Volume mine = describe(volume);
        if (volume.owner().isPresent()) {
            return with(mine, services.coordination().node().value(), mine);
        }
        @Nullable Integer owner = null;
        try {
            owner = owners.find(volume).map(NodeId::value).orElse(null);
            String name = volume.info().name();
            ObjectNode args = JsonNodeFactory.instance.objectNode().put("volume", name);
            NodeStatus.Volume usage = Json.MAPPER.treeToValue(
                    owners.askElsewhere(name, "volume-usage", args, ClusterCommands.PING), NodeStatus.Volume.class);
            return with(mine, owner, usage);
        } catch (AdminException | JsonProcessingException e) {
            LOG.debug("volume {}: nobody says how full it is", volume.info().name(), e);
            return with(mine, owner, mine);
        }
    }

    private static NodeStatus.Volume with(NodeStatus.Volume mine, @Nullable Integer owner, NodeStatus.Volume usage) {
        return new NodeStatus.Volume(
                mine.name(),
                mine.id(),
                mine.role(),
                owner,
                usage.epoch(),
                mine.mount(),
                usage.totalBytes(),
                usage.freeBytes(),
                usage.availableBytes(),
                usage.inodes(),
                usage.freeInodes());
    }

    Object create(ObjectNode args) throws AdminException {
        String name = AdminArgs.text(args, "name");
        if (services.volume(name).isPresent()) {
            throw new AdminException(Code.EXISTS, "volume " + name + " exists");
        }
        try {
            VolumeInfo info = services.createVolume(name).info();
            return Map.of(
                    "name",
                    info.name(),
                    "id",
                    info.number(),
                    "uuid",
                    info.uuid().toString());
        } catch (IOException | StartException e) {
            throw AdminArgs.failed(e);
        }
    }

    /** Asked by the node that deletes the volume. */
    Object forget(ObjectNode args) throws AdminException {
        try {
            services.forget(AdminArgs.text(args, "volume"));
            return Map.of();
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    Object mount(ObjectNode args) throws AdminException {
        OpenVolume volume = services.require(AdminArgs.text(args, "volume"));
        Path path = Path.of(AdminArgs.text(args, "path"));
        if (volume.mountPoint() != null) {
            throw new AdminException(
                    Code.EXISTS, "volume " + volume.info().name() + " is mounted already, at " + volume.mountPoint());
        }
        try {
            services.mount(volume, path);
            return Map.of("volume", volume.info().name(), "path", path.toString());
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    Object unmount(ObjectNode args) throws AdminException {
        Path path = Path.of(AdminArgs.text(args, "path"));
        OpenVolume volume = services.mountedAt(path)
                .orElseThrow(() -> new AdminException(Code.NOT_FOUND, "nothing of this node is mounted at " + path));
        try {
            volume.unmount(args.path("force").asBoolean());
            return Map.of();
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    /**
     * Moves extents of a file for some time; {@code next} in the answer is the tile to go on with, -1 if there are no more. Whoever asks goes on, so that no answer
     * is waited for as long as a large file takes.
     */
    Object relocate(ObjectNode args) throws AdminException {
        String name = AdminArgs.text(args, "volume");
        OpenVolume volume = services.require(name);
        long brick = AdminArgs.number(args, "brick");
        long from = AdminArgs.number(args, "fromTile");
        try {
            if (services.coordination().bricks().list().stream().noneMatch(record -> record.brick() == brick)) {
                throw new AdminException(Code.NOT_FOUND, "there is no brick b" + brick + " in the cluster");
            }
            if (from < 0 || from > MAX_TILE) {
                throw new AdminException(Code.BAD_REQUEST, "there is no tile " + from);
            }
            Relocated relocated = volume.relocate(
                    AdminArgs.number(args, "ino"),
                    new BrickId((int) brick),
                    from,
                    System.nanoTime() + RELOCATION_STEP.toNanos());
            if (relocated == null) {
                throw new AdminException(Code.FAILED, "volume " + name + " is not mounted on this node");
            }
            return relocated;
        } catch (FsException | IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    /** From the owner or through this node's session with it, with the bricks as this node reaches them. */
    Object stat(ObjectNode args) throws AdminException {
        OpenVolume volume = services.require(AdminArgs.text(args, "volume"));
        Optional<VolumeService> service = volume.service();
        try {
            InodeStat stat = service.isPresent()
                    ? InodeStat.of(service.get(), AdminArgs.number(args, "ino"))
                    : Json.MAPPER.convertValue(statAtOwner.handle(args), InodeStat.class);
            Set<Integer> named = new TreeSet<>();
            stat.extents().forEach(extent -> named.add(extent.brick()));
            List<BrickStatus> bricks =
                    !named.isEmpty() && services.coordination().connected() ? cluster.bricks(named) : List.of();
            ObjectNode answer = Json.MAPPER.valueToTree(stat);
            return answer.set("bricks", Json.MAPPER.valueToTree(bricks));
        } catch (IllegalArgumentException e) {
            throw new AdminException(Code.FAILED, "the owner's answer is not understood", e);
        }
    }
}
