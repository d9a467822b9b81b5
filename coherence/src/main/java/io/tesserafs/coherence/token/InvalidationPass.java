package io.tesserafs.coherence.token;

import java.util.ArrayList;
import java.util.List;

/**
 * One invalidation, in pieces: everything but the pages of requests that wait with them locked. Such pages hold nothing, and
 * whoever invalidated them would wait for the request, which waits for a token, which may wait for this very pass. A piece that a
 * new such request runs into is given up, and what is left of it on either side takes its place; the thread that is stuck in the
 * kernel with the old piece comes back later, and nobody minds.
 *
 * <p>Under the monitor of the {@link CachedTokens}.
 */
final class InvalidationPass {
    /** A range to invalidate; does not count any more once it is not in {@link #outstanding}. */
    record Piece(long from, long to, boolean mayBeStuck) {}

    private final Runnable whenDone;
    private final List<Piece> outstanding = new ArrayList<>(1);

    /** {@code whenDone} runs once, under the monitor. */
    InvalidationPass(long from, long to, Runnable whenDone) {
        this.whenDone = whenDone;
        outstanding.add(new Piece(from, to, false));
    }

    void done() {
        whenDone.run();
    }

    List<Piece> outstanding() {
        return List.copyOf(outstanding);
    }

    boolean isDone() {
        return outstanding.isEmpty();
    }

    /** False if the piece was given up meanwhile. */
    boolean finished(Piece piece) {
        return outstanding.remove(piece); // by value: pieces only ever get smaller
    }

    /** Leaves [from, to) out. Returns the pieces that are new. */
    List<Piece> leaveOut(long from, long to) {
        return split(from, to, false);
    }

    /** Makes [from, to) a piece of its own, since it may get stuck. Returns the pieces that are new. */
    List<Piece> isolate(long from, long to) {
        return split(from, to, true);
    }

    private List<Piece> split(long from, long to, boolean keepMiddle) {
        List<Piece> fresh = new ArrayList<>(0);
        for (Piece piece : outstanding()) {
            if (!Ranges.overlap(piece.from, piece.to, from, to) || keepMiddle && piece.mayBeStuck) {
                continue;
            }
            finished(piece);
            if (piece.from < from) {
                fresh.add(new Piece(piece.from, from, piece.mayBeStuck));
            }
            if (keepMiddle) {
                fresh.add(new Piece(Math.max(from, piece.from), Math.min(to, piece.to), true));
            }
            if (to < piece.to) {
                fresh.add(new Piece(to, piece.to, piece.mayBeStuck));
            }
        }
        outstanding.addAll(fresh);
        return fresh;
    }
}
