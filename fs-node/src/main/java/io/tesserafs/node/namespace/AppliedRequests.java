package io.tesserafs.node.namespace;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Requests that took effect and may be repeated, because their answers may have been lost. Part of the volume's state: in the log with the change
 * itself, in checkpoints, rebuilt by replay. As many for each session as it has under way. Owner's lock held by all callers.
 */
final class AppliedRequests {
    /** Sees one request. */
    interface Visitor {
        void request(long session, long number, Applied applied);
    }

    private final Map<Long, TreeMap<Long, Applied>> sessions = new HashMap<>();

    void put(long session, long number, long answeredBelow, Applied applied) {
        TreeMap<Long, Applied> known = sessions.computeIfAbsent(session, id -> new TreeMap<>());
        known.headMap(answeredBelow).clear();
        known.put(number, applied);
    }

    @Nullable
    Applied find(long session, long number) {
        TreeMap<Long, Applied> known = sessions.get(session);
        return known == null ? null : known.get(number);
    }

    void endSession(long session) {
        sessions.remove(session);
    }

    long[] sessions() {
        return sessions.keySet().stream().mapToLong(Long::longValue).toArray();
    }

    void forEach(Visitor visitor) {
        sessions.forEach(
                (session, known) -> known.forEach((number, applied) -> visitor.request(session, number, applied)));
    }
}
