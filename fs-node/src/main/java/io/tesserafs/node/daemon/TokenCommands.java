package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenTable;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.session.OwnedVolume;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The tokens of a volume, at its owner. */
final class TokenCommands {
    /** Unsaved data has to be written; a node that does not answer is evicted within this time. */
    static final Duration RECALL = Duration.ofSeconds(30);

    /** The table is in memory. */
    private static final Duration QUERY = Duration.ofSeconds(5);

    /** In one answer: together below a megabyte, and more than anybody reads. */
    private static final int MAX_TOKENS = 5000;

    private TokenCommands() {}

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

    static Object list(OwnedVolume owned, ObjectNode args) throws AdminException {
        LocalOwner table = owned.tokens();
        List<TokenTable.Entry> entries;
        if (args.has("ino")) {
            long ino = AdminArgs.number(args, "ino");
            entries = AdminArgs.await(table.query(t -> t.entriesOf(ino)), QUERY, "the token table does not answer");
        } else {
            entries = AdminArgs.await(
                    table.query(t -> t.entries(MAX_TOKENS + 1)), QUERY, "the token table does not answer");
        }
        boolean more = entries.size() > MAX_TOKENS;
        return Map.of(
                "volume",
                owned.service().config().name(),
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
                        AdminArgs.lower(entry.resource().kind()),
                        nodes.getOrDefault(entry.session(), 0),
                        entry.session().toString(),
                        AdminArgs.lower(entry.mode()),
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

    static Object recall(OwnedVolume owned, ObjectNode args) throws AdminException {
        long ino = AdminArgs.number(args, "ino");
        if (!owned.isOpen()) {
            throw new AdminException(
                    Code.BUSY,
                    "the owner of volume " + owned.service().config().name()
                            + " still waits for nodes of the last one; try again in a few seconds");
        }
        long startNs = System.nanoTime();
        List<TokenTable.Entry> recalled = AdminArgs.await(
                owned.tokens().recall(ino),
                RECALL,
                "not all tokens came back within " + RECALL.toSeconds()
                        + " s; 'tessera token list' shows who has them");
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("volume", owned.service().config().name());
        answer.put("ino", ino);
        answer.put("tookMs", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs));
        answer.put("recalled", describe(owned, recalled));
        return answer;
    }
}
