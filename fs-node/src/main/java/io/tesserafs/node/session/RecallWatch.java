package io.tesserafs.node.session;

import io.tesserafs.coherence.token.TokenTable;
import io.tesserafs.fabric.brick.SessionId;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Finds sessions that renew their lease but do not give up what was recalled. A recall that goes on in pieces is progress; one of which nothing comes
 * back within the limit becomes a revoke. Not thread-safe.
 */
final class RecallWatch {
    private final long limitNs;
    /** What was awaited when last looked, and since when. */
    private Map<TokenTable.Awaited, Long> since = Map.of();

    RecallWatch(long limitNs) {
        this.limitNs = limitNs;
    }

    /** Sessions that have held something back for longer than the limit. */
    Set<SessionId> overdue(Collection<TokenTable.Awaited> awaited, long nowNs) {
        Map<TokenTable.Awaited, Long> next = new HashMap<>();
        Set<SessionId> overdue = new HashSet<>();
        for (TokenTable.Awaited held : awaited) {
            long start = since.getOrDefault(held, nowNs);
            next.put(held, start);
            if (nowNs - start > limitNs) {
                overdue.add(held.session());
            }
        }
        since = next;
        return overdue;
    }
}
