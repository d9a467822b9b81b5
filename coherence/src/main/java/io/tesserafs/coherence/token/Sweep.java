package io.tesserafs.coherence.token;

import io.tesserafs.fabric.brick.SessionId;
import java.util.HashMap;
import java.util.Map;

/**
 * Everything that is held of a resource at one moment is to be given back, though nobody waits for it. What is granted afterwards is not meant, and
 * nobody's request waits behind it. Part of {@link ResourceTokens}.
 */
final class Sweep {
    private final Map<SessionId, Long> upTo = new HashMap<>();
    private final Runnable onDone;
    /** Holdings up to this sequence were recalled. */
    private long recalledUpTo;

    Sweep(Runnable onDone) {
        this.onDone = onDone;
    }

    /** What the session holds up to this sequence is meant. */
    void include(SessionId session, long sequence) {
        upTo.merge(session, sequence, Math::max);
    }

    /** What the session held is under a new sequence now: it is still the same, as far as anybody caches it. */
    void follow(SessionId session, long sequence) {
        upTo.computeIfPresent(session, (id, old) -> Math.max(old, sequence));
    }

    boolean means(SessionId session, long sequence) {
        return sequence <= upTo.getOrDefault(session, -1L);
    }

    boolean isToBeRecalled(SessionId session, long sequence) {
        return sequence > recalledUpTo && means(session, sequence);
    }

    void recalled(long upToSequence) {
        recalledUpTo = upToSequence;
    }

    void done() {
        onDone.run();
    }
}
