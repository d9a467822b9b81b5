package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.coherence.session.SessionTable;
import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenTable;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.daemon.OwnerRelay.AtOwner;
import io.tesserafs.node.namespace.LogText;
import io.tesserafs.node.namespace.VolumeChecker;
import io.tesserafs.node.session.OwnedVolume;
import io.tesserafs.node.session.OwnedVolume.SessionView;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Commands that only the owner of a volume can carry out; asked of any node. */
final class OwnerCommands {
    /** For what is answered from memory. */
    static final Duration QUICK = Duration.ofSeconds(10);

    /** A session that is evicted lives as long as its lease, and then has to be fenced. */
    private static final Duration EVICTION = Duration.ofMinutes(1);

    /** Unsaved data has to be written; a node that does not answer is evicted within this time. */
    private static final Duration RECALL = Duration.ofSeconds(30);

    /** For work on a whole volume. */
    private static final Duration LONG = Duration.ofMinutes(30);

    /** Tokens in one answer: together below a megabyte, and more than anybody reads. */
    private static final int MAX_TOKENS = 5000;

    /** Records in one answer. */
    private static final int LOG_PAGE = 1000;

    /** A command, and for how long another node is given to answer it. */
    private record Spec(AtOwner work, Duration limit) {}

    private final Map<String, Spec> commands = new LinkedHashMap<>();
    private final OwnerRelay relay;

    OwnerCommands(OwnerRelay relay, NodeServices services) {
        this.relay = relay;
        add("volume-usage", (volume, owned, args) -> VolumeCommands.describe(volume), QUICK);
        add("stat", (volume, owned, args) -> InodeStat.of(owned.service(), AdminArgs.number(args, "ino")), QUICK);
        add("fsck", (volume, owned, args) -> fsck(owned), LONG);
        add("log-dump", (volume, owned, args) -> logDump(owned, args), LONG);
        add("token-list", (volume, owned, args) -> tokens(volume, owned, args), QUICK);
        add("token-recall", (volume, owned, args) -> recall(volume, owned, args), RECALL.plus(QUICK));
        add("volume-delete", (volume, owned, args) -> delete(services, volume, owned, args), LONG);
        add("session-list", (volume, owned, args) -> sessions(volume, owned), QUICK);
        add("session-evict", (volume, owned, args) -> evict(volume, owned, args), EVICTION);
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

    private static Object delete(NodeServices services, OpenVolume volume, OwnedVolume owned, ObjectNode args)
            throws AdminException {
        String name = volume.info().name();
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

    /**
     * One token.
     *
     * @param toByte absent if it reaches to the end of whatever the file is
     * @param waiting it is not held, but asked for
     */
    private record TokenInfo(
            long ino,
            String kind,
            int node,
            String session,
            String mode,
            long fromByte,
            @Nullable Long toByte,
            boolean waiting) {}

    private static Object tokens(OpenVolume volume, OwnedVolume owned, ObjectNode args) throws AdminException {
        LocalOwner table = owned.tokens();
        List<TokenTable.Entry> entries;
        if (args.has("ino")) {
            long ino = AdminArgs.number(args, "ino");
            entries = await(table.query(t -> t.entriesOf(ino)), QUICK, "the token table does not answer");
        } else {
            entries = await(table.query(t -> t.entries(MAX_TOKENS + 1)), QUICK, "the token table does not answer");
        }
        boolean more = entries.size() > MAX_TOKENS;
        return Map.of(
                "volume",
                volume.info().name(),
                "tokens",
                describe(owned, more ? entries.subList(0, MAX_TOKENS) : entries),
                "more",
                more);
    }

    private static List<TokenInfo> describe(OwnedVolume owned, List<TokenTable.Entry> entries) {
        Map<SessionId, Integer> nodes = new HashMap<>();
        owned.sessions().forEach(session -> nodes.put(session.id(), session.node()));
        return entries.stream()
                .map(entry -> new TokenInfo(
                        entry.resource().inode(),
                        lower(entry.resource().kind()),
                        nodes.getOrDefault(entry.session(), 0),
                        entry.session().toString(),
                        lower(entry.mode()),
                        entry.fromByte(),
                        isWhole(entry.resource(), entry.toByte()) ? null : entry.toByte(),
                        entry.isWaiting()))
                .sorted(Comparator.comparingLong(TokenInfo::ino)
                        .thenComparing(TokenInfo::kind)
                        .thenComparing(TokenInfo::waiting)
                        .thenComparingLong(TokenInfo::fromByte)
                        .thenComparingInt(TokenInfo::node))
                .toList();
    }

    private static boolean isWhole(Resource resource, long toByte) {
        return resource.kind() == Resource.Kind.ENTRIES || toByte == FileTokens.TO_END;
    }

    private static Object recall(OpenVolume volume, OwnedVolume owned, ObjectNode args) throws AdminException {
        long ino = AdminArgs.number(args, "ino");
        if (!owned.isOpen()) {
            throw new AdminException(
                    Code.BUSY,
                    "the owner of volume " + volume.info().name()
                            + " still waits for nodes of the last one; try again in a few seconds");
        }
        long startNs = System.nanoTime();
        List<TokenTable.Entry> recalled = await(
                owned.tokens().recall(ino),
                RECALL,
                "not all tokens came back within " + RECALL.toSeconds()
                        + " s; 'tessera token list' shows who has them");
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("volume", volume.info().name());
        answer.put("ino", ino);
        answer.put("tookMs", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs));
        answer.put("recalled", describe(owned, recalled));
        return answer;
    }

    private static <T> T await(CompletableFuture<T> answer, Duration limit, String late) throws AdminException {
        try {
            return answer.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new AdminException(Code.FAILED, late, e);
        } catch (ExecutionException e) {
            throw AdminArgs.failed(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AdminException(Code.FAILED, "interrupted", e);
        }
    }

    /**
     * One session.
     *
     * @param state active, evicting, or awaited: the last owner had it and it is not back yet
     * @param silentMs since the owner heard of it; a local one need not say anything
     */
    private record SessionInfo(
            int node, String session, String state, boolean local, long silentMs, int tokens, int locks) {}

    private static Object sessions(OpenVolume volume, OwnedVolume owned) throws AdminException {
        List<SessionInfo> sessions = new ArrayList<>();
        for (SessionView view : owned.sessions()) {
            int tokens = await(
                    owned.tokens().query(t -> t.holdings(view.id()).size()), QUICK, "the token table does not answer");
            int locks = await(owned.locks().held(view.id()), QUICK, "the lock table does not answer")
                    .size();
            boolean awaited = view.awaited() && view.state() == SessionTable.State.ACTIVE;
            sessions.add(new SessionInfo(
                    view.node(),
                    view.id().toString(),
                    awaited ? "awaited" : lower(view.state()),
                    view.local(),
                    TimeUnit.NANOSECONDS.toMillis(view.silentNs()),
                    tokens,
                    locks));
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("volume", volume.info().name());
        answer.put("epoch", owned.epoch());
        answer.put("leaseMs", owned.terms().termMs());
        answer.put("sessions", sessions);
        return answer;
    }

    private static Object evict(OpenVolume volume, OwnedVolume owned, ObjectNode args) throws AdminException {
        long node = AdminArgs.number(args, "node");
        List<SessionView> all = owned.sessions();
        List<SessionView> victims =
                all.stream().filter(session -> session.node() == node).toList();
        if (victims.isEmpty()) {
            throw new AdminException(
                    Code.NOT_FOUND,
                    "node " + node + " has no session with volume "
                            + volume.info().name());
        }
        List<String> evicted = new ArrayList<>();
        for (SessionView victim : victims) {
            if (owned.evict(victim.id())) {
                evicted.add(victim.id().toString());
            }
        }
        if (evicted.isEmpty()) {
            throw new AdminException(Code.BUSY, "the session of node " + node + " is being evicted already");
        }
        return Map.of("volume", volume.info().name(), "node", node, "sessions", evicted);
    }

    private static String lower(Enum<?> name) {
        return name.name().toLowerCase(Locale.ROOT);
    }
}
