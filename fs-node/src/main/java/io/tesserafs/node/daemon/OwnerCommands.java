package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.daemon.OwnerRelay.AtOwner;
import io.tesserafs.node.namespace.LogText;
import io.tesserafs.node.namespace.VolumeChecker;
import io.tesserafs.node.session.OwnedVolume;
import io.tesserafs.node.session.SessionView;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Commands that only the owner of a volume can carry out; asked of any node. */
final class OwnerCommands {
    /** For what is answered from memory. */
    static final Duration QUICK = Duration.ofSeconds(10);

    /** A session that is evicted lives as long as its lease, and then has to be fenced. */
    private static final Duration EVICTION = Duration.ofMinutes(1);

    /** For work on a whole volume. */
    private static final Duration LONG = Duration.ofMinutes(30);

    /** Records in one answer. */
    private static final int LOG_PAGE = 1000;

    /** A command, and for how long another node is given to answer it. */
    private record Spec(AtOwner work, Duration limit) {}

    private final Map<String, Spec> commands = new LinkedHashMap<>();
    private final OwnerRelay relay;

    OwnerCommands(OwnerRelay relay, NodeServices services) {
        this.relay = relay;
        add(
                "volume-usage",
                (owned, args) -> VolumeCommands.describe(services.require(AdminArgs.text(args, "volume"))),
                QUICK);
        add("stat", (owned, args) -> InodeStat.of(owned.service(), AdminArgs.number(args, "ino")), QUICK);
        add("fsck", (owned, args) -> fsck(owned), LONG);
        add("log-dump", (owned, args) -> logDump(owned, args), LONG);
        add("token-list", (owned, args) -> TokenCommands.list(owned, args), QUICK);
        add("token-recall", (owned, args) -> TokenCommands.recall(owned, args), TokenCommands.RECALL.plus(QUICK));
        add("volume-delete", (owned, args) -> delete(services, owned, args), LONG);
        add(
                "volume-owner",
                (owned, args) ->
                        SessionCommands.owner(owned, services.coordination().node()),
                QUICK);
        add("volume-owner-move", (owned, args) -> move(services, owned, args), LONG);
        add("session-list", (owned, args) -> SessionCommands.list(owned), QUICK);
        add("session-evict", (owned, args) -> SessionCommands.evict(owned, args), EVICTION);
    }

    private void add(String name, AtOwner work, Duration limit) {
        commands.put(name, new Spec(work, limit));
    }

    /** For operators: whoever owns the volume answers. */
    Map<String, AdminHandler> anywhere() {
        Map<String, AdminHandler> handlers = new HashMap<>();
        commands.keySet().forEach(name -> handlers.put(name, anywhere(name)));
        return handlers;
    }

    AdminHandler anywhere(String name) {
        Spec spec = commands.get(name);
        if (spec == null) {
            throw new IllegalArgumentException("there is no command " + name);
        }
        return relay.anywhere(name, spec.work(), spec.limit());
    }

    /** For other nodes: answered only while this node is the owner. */
    Map<String, AdminHandler> here() {
        Map<String, AdminHandler> handlers = new HashMap<>();
        commands.forEach((name, spec) -> handlers.put(name, relay.here(spec.work())));
        return handlers;
    }

    private static Object delete(NodeServices services, OwnedVolume owned, ObjectNode args) throws AdminException {
        String name = AdminArgs.text(args, "volume");
        OpenVolume volume = services.require(name);
        if (volume.mountPoint() != null) {
            throw new AdminException(
                    Code.BUSY, "volume " + name + " is mounted at " + volume.mountPoint() + "; unmount it first");
        }
        List<SessionView> users = owned.sessions();
        if (!users.isEmpty()) {
            String nodes = users.stream()
                    .map(user -> Integer.toString(user.node()))
                    .distinct()
                    .collect(Collectors.joining(", "));
            throw new AdminException(
                    Code.BUSY, "volume " + name + " is in use on node " + nodes + "; unmount it there first");
        }
        if (name.equals(NodeServices.DEFAULT_VOLUME)) {
            throw new AdminException(Code.FAILED, "volume main is the cluster's first and stays");
        }
        if (!args.path("force").asBoolean() && owned.service().statistics().inodes() > 1) {
            throw new AdminException(
                    Code.FAILED, "volume " + name + " is not empty; --force deletes it with its files");
        }
        try {
            return Map.of("freedBlocks", services.deleteVolume(volume));
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    /** Answered when this node has let go of the volume; the other takes it up within moments. */
    private static Object move(NodeServices services, OwnedVolume owned, ObjectNode args) throws AdminException {
        String name = AdminArgs.text(args, "volume");
        int owner = services.coordination().node().value();
        int wanted = (int) AdminArgs.number(args, "node");
        Map<String, Object> answer =
                Map.of("volume", name, "node", wanted, "epoch", owned.epoch(), "moved", wanted != owner);
        if (wanted == owner) {
            return answer;
        }
        try {
            if (services.coordination().nodes().find(new NodeId(wanted)).isEmpty()) {
                throw new AdminException(Code.NOT_FOUND, "there is no node " + wanted + " in the cluster now");
            }
            boolean hasBrick = services.coordination().bricks().list().stream()
                    .anyMatch(brick -> brick.node().value() == wanted);
            if (!hasBrick) {
                throw new AdminException(Code.FAILED, "node " + wanted + " has no brick, so it cannot own a volume");
            }
            if (!services.require(name).ownership().handOn(wanted)) {
                throw new AdminException(Code.UNAVAILABLE, "volume " + name + " changes its owner just now; ask again");
            }
            return answer;
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    private static Object fsck(OwnedVolume owned) throws AdminException {
        try {
            return OfflineNode.answer(VolumeChecker.checkOnline(owned.service()));
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }

    /** A page of the log; {@code next} is where to go on, -1 at the end. */
    private static Object logDump(OwnedVolume owned, ObjectNode args) throws AdminException {
        try {
            List<LogText.Line> lines = owned.service().log(args.path("from").asLong(), LOG_PAGE);
            long next = lines.size() < LOG_PAGE ? -1 : lines.getLast().lsn() + 1;
            return Map.of("records", lines, "next", next);
        } catch (IOException e) {
            throw AdminArgs.failed(e);
        }
    }
}
