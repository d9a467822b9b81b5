package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.session.SessionTable;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.session.OwnedVolume;
import io.tesserafs.node.session.SessionView;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The sessions of a volume, at its owner. */
final class SessionCommands {
    private static final Logger LOG = LoggerFactory.getLogger(SessionCommands.class);

    /** The tables are in memory. */
    private static final Duration QUERY = Duration.ofSeconds(5);

    private SessionCommands() {}

    /**
     * Who owns a volume.
     *
     * @param state ready, or waiting: for nodes that the last owner had and that are not back yet
     * @param mirrorBrick has a second copy of the log; null: there is none now
     */
    private record OwnerInfo(
            String volume,
            int node,
            long epoch,
            String state,
            int sessions,
            int logBrick,
            @Nullable Integer mirrorBrick) {}

    static Object owner(OwnedVolume owned, NodeId self) {
        return new OwnerInfo(
                owned.service().config().name(),
                self.value(),
                owned.epoch(),
                owned.isOpen() ? "ready" : "waiting",
                owned.sessions().size(),
                owned.service().logBrick().value(),
                owned.service().mirrorBrick().map(BrickId::value).orElse(null));
    }

    /**
     * One session.
     *
     * @param state active, evicting, or awaited: the last owner had it and it is not back yet
     * @param silentMs since the owner heard of it; a local one need not say anything
     */
    private record SessionInfo(
            int node, String session, String state, boolean local, long silentMs, int tokens, int locks) {}

    static Object list(OwnedVolume owned) throws AdminException {
        List<SessionInfo> sessions = new ArrayList<>();
        for (SessionView view : owned.sessions()) {
            int tokens = AdminArgs.await(
                    owned.tokens().query(t -> t.holdings(view.id()).size()), QUERY, "the token table does not answer");
            int locks = AdminArgs.await(owned.locks().held(view.id()), QUERY, "the lock table does not answer")
                    .size();
            boolean awaited = view.awaited() && view.state() == SessionTable.State.ACTIVE;
            sessions.add(new SessionInfo(
                    view.node(),
                    view.id().toString(),
                    awaited ? "awaited" : AdminArgs.lower(view.state()),
                    view.local(),
                    TimeUnit.NANOSECONDS.toMillis(view.silentNs()),
                    tokens,
                    locks));
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("volume", owned.service().config().name());
        answer.put("epoch", owned.epoch());
        answer.put("leaseMs", owned.terms().termMs());
        answer.put("sessions", sessions);
        return answer;
    }

    static Object evict(OwnedVolume owned, ObjectNode args) throws AdminException {
        long node = AdminArgs.number(args, "node");
        List<SessionView> all = owned.sessions();
        List<SessionView> victims =
                all.stream().filter(session -> session.node() == node).toList();
        if (victims.isEmpty()) {
            throw new AdminException(
                    Code.NOT_FOUND,
                    "node " + node + " has no session with volume "
                            + owned.service().config().name());
        }
        LOG.warn(
                "volume {}: an operator evicts node {}",
                owned.service().config().name(),
                node);
        List<String> evicted = new ArrayList<>();
        for (SessionView victim : victims) {
            if (owned.evict(victim.id())) {
                evicted.add(victim.id().toString());
            }
        }
        if (evicted.isEmpty()) {
            throw new AdminException(Code.BUSY, "the session of node " + node + " is being evicted already");
        }
        return Map.of("volume", owned.service().config().name(), "node", node, "sessions", evicted);
    }
}
