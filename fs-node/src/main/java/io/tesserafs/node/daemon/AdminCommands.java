package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fuse.mount.MountException;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.admin.NodeStatus;
import io.tesserafs.node.metrics.NodeMetrics;
import io.tesserafs.node.metrics.ProcessMemory;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.LogText;
import io.tesserafs.node.namespace.VolumeChecker;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What the command line can ask of a daemon. Handlers run on threads of their own. */
final class AdminCommands {
    /** Extents in one answer of {@code stat}. */
    private static final int MAX_EXTENTS = 1000;

    private static final int LOG_PAGE = 2000;

    private final NodeDaemon daemon;
    private final NodeServices services;
    private final NodeMetrics metrics;

    AdminCommands(NodeDaemon daemon, NodeServices services, NodeMetrics metrics) {
        this.daemon = daemon;
        this.services = services;
        this.metrics = metrics;
    }

    Map<String, AdminHandler> handlers() {
        Map<String, AdminHandler> handlers = new LinkedHashMap<>();
        handlers.put("ping", args -> Map.of("state", daemon.state().label()));
        handlers.put("status", args -> status());
        handlers.put("metrics", args -> Map.of("text", metrics.prometheus()));
        handlers.put("bricks", args -> List.of(brick()));
        handlers.put("volumes", args -> volumes());
        handlers.put("volume-create", this::createVolume);
        handlers.put("volume-delete", this::deleteVolume);
        handlers.put("mount", this::mount);
        handlers.put("umount", this::unmount);
        handlers.put("stat", this::stat);
        handlers.put("fsck", this::fsck);
        handlers.put("log-dump", this::logDump);
        handlers.put("shutdown", this::shutdown);
        return handlers;
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
                services.volumes().stream().map(AdminCommands::describe).toList(),
                metrics.snapshot());
    }

    private static List<Integer> members(Coordination coordination) throws AdminException {
        try {
            return coordination.connected() ? coordination.members() : List.of();
        } catch (IOException e) {
            throw failed(e);
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

    private static NodeStatus.Volume describe(OpenVolume volume) {
        VolumeService.Statistics s = volume.service()
                .map(VolumeService::statistics)
                .orElse(new VolumeService.Statistics(0, 0, 0, BlockId.BLOCK_BYTES, 0, 0));
        Path mount = volume.mountPoint();
        return new NodeStatus.Volume(
                volume.info().name(),
                volume.info().number(),
                volume.owner().isPresent() ? "owner" : "user",
                volume.ownership().epoch(),
                mount == null ? null : mount.toString(),
                s.blocks() * s.blockBytes(),
                s.free() * s.blockBytes(),
                s.available() * s.blockBytes(),
                s.inodes(),
                s.freeInodes());
    }

    private List<NodeStatus.Volume> volumes() {
        return services.volumes().stream().map(AdminCommands::describe).toList();
    }

    private Object createVolume(ObjectNode args) throws AdminException {
        String name = text(args, "name");
        if (services.volume(name).isPresent()) {
            throw new AdminException(Code.EXISTS, "volume " + name + " exists");
        }
        try {
            VolumeInfo info = services.createVolume(name, Map.of()).info();
            return Map.of(
                    "name",
                    info.name(),
                    "id",
                    info.number(),
                    "uuid",
                    info.uuid().toString());
        } catch (IOException | StartException e) {
            throw failed(e);
        }
    }

    private Object deleteVolume(ObjectNode args) throws AdminException {
        OpenVolume volume = volume(text(args, "name"));
        if (volume.mountPoint() != null) {
            throw new AdminException(
                    Code.BUSY,
                    "volume " + volume.info().name() + " is mounted at " + volume.mountPoint() + "; unmount it first");
        }
        if (volume.info().name().equals(NodeServices.DEFAULT_VOLUME)) {
            throw new AdminException(Code.FAILED, "volume main is the cluster's first and stays");
        }
        if (!args.path("force").asBoolean() && ownerOf(volume).statistics().inodes() > 1) {
            throw new AdminException(
                    Code.FAILED, "volume " + volume.info().name() + " is not empty; --force deletes it with its files");
        }
        try {
            return Map.of("freedBlocks", services.deleteVolume(volume));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private Object mount(ObjectNode args) throws AdminException {
        OpenVolume volume = volume(text(args, "volume"));
        Path path = Path.of(text(args, "path"));
        if (volume.mountPoint() != null) {
            throw new AdminException(
                    Code.EXISTS, "volume " + volume.info().name() + " is mounted already, at " + volume.mountPoint());
        }
        try {
            services.mount(volume, path);
            return Map.of("volume", volume.info().name(), "path", path.toString());
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private Object unmount(ObjectNode args) throws AdminException {
        Path path = Path.of(text(args, "path"));
        OpenVolume volume = services.mountedAt(path)
                .orElseThrow(() -> new AdminException(Code.NOT_FOUND, "nothing of this node is mounted at " + path));
        try {
            volume.unmount(args.path("force").asBoolean());
            return Map.of();
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** One extent in {@code stat}. */
    private record ExtentInfo(
            long tile, int brick, String block, int offset, int length, int validBytes, boolean slice) {}

    private Object stat(ObjectNode args) throws AdminException {
        OpenVolume volume = volume(text(args, "volume"));
        long ino = args.path("ino").asLong();
        try {
            InodeAttr attr = serviceOf(volume).getattr(ino);
            List<Extent> layout = serviceOf(volume).layout(ino, 0, Long.MAX_VALUE >>> 21);
            List<ExtentInfo> extents = layout.stream()
                    .limit(MAX_EXTENTS)
                    .map(e -> new ExtentInfo(
                            e.tile(),
                            e.ref().brick().value(),
                            e.ref().block().toString(),
                            e.ref().offset(),
                            e.ref().bytes(),
                            e.validBytes(),
                            !e.ref().isWholeBlock()))
                    .toList();
            Map<String, Object> answer = new LinkedHashMap<>();
            answer.put("ino", attr.ino());
            answer.put("type", type(attr.mode()));
            answer.put("mode", attr.mode());
            answer.put("nlink", attr.nlink());
            answer.put("uid", attr.uid());
            answer.put("gid", attr.gid());
            answer.put("size", attr.size());
            answer.put("blocks", attr.blocks());
            answer.put("atimeNs", attr.atimeNs());
            answer.put("mtimeNs", attr.mtimeNs());
            answer.put("ctimeNs", attr.ctimeNs());
            answer.put("btimeNs", attr.btimeNs());
            answer.put("extents", extents);
            answer.put("more", layout.size() > extents.size());
            return answer;
        } catch (FsException e) {
            throw new AdminException(Code.NOT_FOUND, "inode " + ino + ": " + e.getMessage());
        }
    }

    private Object fsck(ObjectNode args) throws AdminException {
        try {
            return OfflineNode.answer(VolumeChecker.checkOnline(ownerOf(volume(text(args, "volume")))));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** A page of the log; {@code next} is where to go on, -1 at the end. */
    private Object logDump(ObjectNode args) throws AdminException {
        try {
            List<LogText.Line> lines =
                    ownerOf(volume(text(args, "volume"))).log(args.path("from").asLong(), LOG_PAGE);
            long next = lines.size() < LOG_PAGE ? -1 : lines.getLast().lsn() + 1;
            return Map.of("records", lines, "next", next);
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private static String type(int mode) {
        return switch (mode & InodeAttr.S_IFMT) {
            case InodeAttr.S_IFREG -> "file";
            case InodeAttr.S_IFDIR -> "directory";
            case InodeAttr.S_IFLNK -> "symlink";
            case InodeAttr.S_IFCHR -> "character device";
            case InodeAttr.S_IFBLK -> "block device";
            case InodeAttr.S_IFIFO -> "fifo";
            case InodeAttr.S_IFSOCK -> "socket";
            default -> "unknown";
        };
    }

    private Object shutdown(ObjectNode args) throws AdminException {
        try {
            services.unmountAll(args.path("force").asBoolean());
        } catch (IOException e) {
            throw failed(e);
        }
        daemon.requestStop();
        return Map.of();
    }

    private static VolumeOwner ownerOf(OpenVolume volume) throws AdminException {
        return volume.owner()
                .orElseThrow(() -> new AdminException(
                        Code.FAILED, "volume " + volume.info().name() + " is owned by another node; ask that one"));
    }

    private static VolumeService serviceOf(OpenVolume volume) throws AdminException {
        return volume.service()
                .orElseThrow(() -> new AdminException(
                        Code.FAILED,
                        "volume " + volume.info().name() + " is neither owned nor mounted by this node; ask another"));
    }

    private OpenVolume volume(String name) throws AdminException {
        Optional<OpenVolume> volume = services.volume(name);
        return volume.orElseThrow(() -> new AdminException(Code.NOT_FOUND, "there is no volume " + name));
    }

    private static String text(ObjectNode args, String key) throws AdminException {
        @Nullable String value = args.path(key).textValue();
        if (value == null || value.isEmpty()) {
            throw new AdminException(Code.BAD_REQUEST, "argument " + key + " is missing");
        }
        return value;
    }

    private static AdminException failed(Exception e) {
        boolean busy = e instanceof MountException mount && mount.reason() == MountException.Reason.BUSY;
        String message = e.getMessage() == null ? e.toString() : e.getMessage();
        return new AdminException(busy ? Code.BUSY : Code.FAILED, message, e);
    }
}
