package io.tesserafs.coherence.token;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The ranges of one resource that a node holds, and which of them it is giving back. Of {@link HeldTokens}, and guarded as that is. */
final class HeldRanges {
    /** A range that is held; RECALLING if it belongs to a recall (which may have several pieces, of both modes). */
    private static final class Piece {
        final long from;
        final long to;
        final Mode mode;
        /** Sequence of the grant it came with, or of the newest of several; it was held without a pause since. */
        final long since;

        TokenState state = TokenState.HELD;

        @Nullable
        RangeRecall recall;

        Piece(long from, long to, Mode mode, long since) {
            this.from = from;
            this.to = to;
            this.mode = mode;
            this.since = since;
        }

        /** In the same state, and of the same recall. */
        Piece part(long partFrom, long partTo, Mode partMode) {
            Piece part = new Piece(partFrom, partTo, partMode, since);
            part.state = state;
            part.recall = recall;
            return part;
        }
    }

    /** Ascending, not overlapping; all HELD or RECALLING. */
    private List<Piece> pieces = new ArrayList<>(1);

    boolean isEmpty() {
        return pieces.isEmpty();
    }

    /** Whether the range is held, be it on its way back or not. */
    boolean cover(long from, long to, Mode mode) {
        long at = from;
        for (Piece piece : pieces) {
            if (piece.from <= at && at < piece.to && piece.mode.covers(mode)) {
                at = piece.to;
            }
        }
        return at >= to;
    }

    boolean overlap(long from, long to) {
        for (Piece piece : pieces) {
            if (Ranges.overlap(piece.from, piece.to, from, to)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Whether all that is held was held without a pause since that sequence. An owner that had not heard yet of what this node gave up may have said something later
     * than a grant of another range; but not later than the grant by which that was had again.
     */
    boolean isHeldSince(long sequence) {
        for (Piece piece : pieces) {
            if (piece.since > sequence) {
                return false;
            }
        }
        return true;
    }

    void addTo(List<TokenMessage.Held> into, Resource resource) {
        for (Piece piece : pieces) {
            into.add(new TokenMessage.Held(resource, piece.from, piece.to, piece.mode));
        }
    }

    /** Fills gaps and raises modes; what is being recalled goes on being recalled. */
    void insert(long from, long to, Mode mode, long sequence) {
        List<Piece> next = new ArrayList<>(pieces.size() + 2);
        long at = from;
        for (Piece piece : pieces) {
            if (!Ranges.overlap(piece.from, piece.to, from, to)) {
                next.add(piece);
                continue;
            }
            if (at < piece.from) {
                next.add(new Piece(at, piece.from, mode, sequence));
            }
            if (piece.mode.covers(mode)) {
                next.add(piece);
            } else {
                raise(piece, from, to, mode, next);
            }
            at = piece.to;
        }
        if (at < to) {
            next.add(new Piece(at, to, mode, sequence));
        }
        next.sort(Comparator.comparingLong(piece -> piece.from));
        pieces = next;
        mergeNeighbours();
    }

    private static void raise(Piece piece, long from, long to, Mode mode, List<Piece> into) {
        if (piece.from < from) {
            into.add(piece.part(piece.from, from, piece.mode));
        }
        into.add(piece.part(Math.max(piece.from, from), Math.min(piece.to, to), mode));
        if (piece.to > to) {
            into.add(piece.part(to, piece.to, piece.mode));
        }
    }

    private void mergeNeighbours() {
        List<Piece> merged = new ArrayList<>(pieces.size());
        for (Piece piece : pieces) {
            Piece last = merged.isEmpty() ? null : merged.getLast();
            if (last != null
                    && last.to == piece.from
                    && last.mode == piece.mode
                    && last.recall == null
                    && piece.recall == null) {
                merged.set(
                        merged.size() - 1,
                        new Piece(last.from, piece.to, piece.mode, Math.max(last.since, piece.since)));
            } else {
                merged.add(piece);
            }
        }
        pieces = merged;
    }

    /**
     * Begins to give back what is held of the range beyond {@code keep}. What is on its way back already stays with the recall it has, which is strengthened if
     * somebody waits.
     *
     * @return the recalls that this began
     */
    List<RangeRecall> recall(long from, long to, @Nullable Mode keep, RangeRecall.Urgency urgency) {
        List<Piece> next = new ArrayList<>(pieces.size() + 2);
        List<RangeRecall> begun = new ArrayList<>(1);
        for (Piece piece : pieces) {
            if (!Ranges.overlap(piece.from, piece.to, from, to)) {
                next.add(piece);
            } else if (piece.recall != null) {
                next.add(piece);
                if (urgency == RangeRecall.Urgency.WANTED) {
                    piece.recall.strengthen(keep);
                }
            } else if (keep == Mode.SHARED && piece.mode == Mode.SHARED) {
                next.add(piece);
            } else {
                begun.add(split(piece, from, to, keep, urgency, next));
            }
        }
        pieces = next;
        return begun;
    }

    private static RangeRecall split(
            Piece piece, long from, long to, @Nullable Mode keep, RangeRecall.Urgency urgency, List<Piece> into) {
        if (piece.from < from) {
            into.add(piece.part(piece.from, from, piece.mode));
        }
        Piece wanted = piece.part(Math.max(piece.from, from), Math.min(piece.to, to), piece.mode);
        RangeRecall recall = new RangeRecall(wanted.from, wanted.to, keep, urgency);
        wanted.state = wanted.state.become(TokenState.RECALLING);
        wanted.recall = recall;
        into.add(wanted);
        if (piece.to > to) {
            into.add(piece.part(to, piece.to, piece.mode));
        }
        return recall;
    }

    /** The recall is done: of its range only what it keeps is held. */
    void finish(RangeRecall recall) {
        Mode keep = recall.keep();
        List<Piece> left = new ArrayList<>(pieces.size());
        for (Piece piece : pieces) {
            if (piece.recall != recall) {
                left.add(piece);
            } else if (keep != null) {
                left.add(settled(piece, keep));
            } else {
                piece.state = piece.state.become(TokenState.NONE);
            }
        }
        pieces = left;
        mergeNeighbours();
    }

    /** The recall is given up: its range is held as before. */
    void cancel(RangeRecall recall) {
        pieces.replaceAll(piece -> piece.recall == recall ? settled(piece, piece.mode) : piece);
        mergeNeighbours();
    }

    private static Piece settled(Piece recalled, Mode mode) {
        recalled.state = recalled.state.become(TokenState.HELD);
        return new Piece(recalled.from, recalled.to, mode, recalled.since);
    }

    /** Nothing is held any more, and no recall is under way. */
    void fence() {
        for (Piece piece : pieces) {
            piece.state = piece.state.become(TokenState.FENCED);
        }
        pieces = new ArrayList<>(0);
    }

    /** What requests may be served under: all that is held, but for what recalls have closed. */
    Coverage coverage(List<RangeRecall> recalls, Coverage.Activity activity) {
        int count = pieces.size();
        long[] from = new long[count];
        long[] to = new long[count];
        boolean[] exclusive = new boolean[count];
        int used = 0;
        for (Piece piece : pieces) {
            RangeRecall recall = piece.recall;
            Mode mode = recall == null || recall.isOpen() ? piece.mode : recall.keep();
            if (mode != null) {
                from[used] = piece.from;
                to[used] = piece.to;
                exclusive[used] = mode == Mode.EXCLUSIVE;
                used++;
            }
        }
        List<Coverage.ServedMark> marks = new ArrayList<>(recalls.size());
        for (RangeRecall recall : recalls) {
            marks.add(recall.mark());
        }
        return new Coverage(
                Arrays.copyOf(from, used),
                Arrays.copyOf(to, used),
                Arrays.copyOf(exclusive, used),
                marks.toArray(new Coverage.ServedMark[0]),
                activity);
    }
}
