package io.tesserafs.coherence.token;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The node's side of one resource: what it holds, asks for and gives back.
 *
 * <p>A pure state machine behind a {@link TokenGate}: no I/O, no clock, no waiting; one thread at a time (the owner of the lock).
 * What takes time is asked for through {@link Actions} and reported back.
 *
 * <p>A recall goes through passes: <em>invalidate</em> the range (new requests are served meanwhile); <em>close</em> it and drain
 * those inside; if anyone was served since the pass began, reopen and make another pass; else <em>flush</em>, release. It
 * never closes before invalidating, because a request that waits with its pages locked would block the invalidation for ever.
 *
 * <p>Those who wait for a grant enter the moment it arrives, before any recall behind it is looked at, so every grant is used.
 */
final class HeldTokens {
    /** What the state machine wants done. Called in order, within its methods; must not call back. */
    interface Actions {
        void send(TokenMessage.ToOwner message);

        /** Drop what is cached of the recall's range, then call {@link HeldTokens#invalidated}. */
        void invalidate(Recall recall);

        /** Save what is unsaved of the recall's range, then call {@link HeldTokens#flushed}. */
        void flush(Recall recall);

        /** The waiter has its ticket, or failed. */
        void wake(Waiter waiter);

        /** The newest sequence of what was held when the present link was made. */
        default long seenAtLeast() {
            return 0;
        }
    }

    /** A request that waits. Its fields belong to the state machine until it was woken. */
    static class Waiter {
        final long from;
        final long to;
        final Mode mode;
        int ticket = FileTokens.REFUSED;
        boolean fenced;

        Waiter(long from, long to, Mode mode) {
            this.from = from;
            this.to = to;
            this.mode = mode;
        }
    }

    /** Giving back one range. */
    static final class Recall {
        final long from;
        final long to;
        /** What stays; null for nothing. May become less while the recall runs. */
        private @Nullable Mode keep;

        private volatile Urgency urgency;

        private Step step = Step.INVALIDATING;
        private Coverage.ServedMark mark;

        /** Under the monitor. */
        @Nullable
        Mode keep() {
            return keep;
        }

        /** The file is open nowhere here. Under the monitor or not: it only ever turns false, and then the kernel must be told. */
        boolean isQuiet() {
            return urgency == Urgency.UNUSED;
        }

        /** Nobody waits for it: give up giving up as soon as the range is used again. */
        private boolean isVoluntary() {
            return urgency != Urgency.WANTED;
        }

        Recall(long from, long to, @Nullable Mode keep, Urgency urgency) {
            this.from = from;
            this.to = to;
            this.keep = keep;
            this.urgency = urgency;
            this.mark = freshMark();
        }

        Coverage.ServedMark freshMark() {
            return new Coverage.ServedMark(from, to, keep != null);
        }

        /** Requests are served until the range is closed. */
        boolean isOpen() {
            return step == Step.INVALIDATING;
        }
    }

    /** Why a range is given back. */
    enum Urgency {
        /** This node has too much that it does not use. */
        UNUSED,
        /** Another one may want it soon. */
        OFFERED,
        /** Another one waits for it. */
        WANTED
    }

    /** Steps of a recall's pass. */
    private enum Step {
        INVALIDATING,
        CLOSED,
        DRAINING,
        FLUSHING
    }

    /** A range that is held; RECALLING if it belongs to a recall (which may have several pieces, of both modes). */
    private static final class Piece {
        final long from;
        final long to;
        final Mode mode;
        TokenState state = TokenState.HELD;

        @Nullable
        Recall recall;

        Piece(long from, long to, Mode mode) {
            this.from = from;
            this.to = to;
            this.mode = mode;
        }

        /** In the same state, and of the same recall. */
        Piece part(long partFrom, long partTo, Mode partMode) {
            Piece part = new Piece(partFrom, partTo, partMode);
            part.state = state;
            part.recall = recall;
            return part;
        }
    }

    private static final long NEVER = Long.MAX_VALUE;

    private final Resource resource;
    private final TokenGate gate;
    private final Actions actions;
    private final Coverage.Activity activity = new Coverage.Activity();

    /** Ascending, not overlapping; all HELD or RECALLING. */
    private List<Piece> pieces = new ArrayList<>(1);

    /** REQUESTED: sent, not answered. */
    private final Map<Long, TokenMessage.Request> asks = new HashMap<>(2);

    private final List<Waiter> waiters = new ArrayList<>(0);
    private final List<Recall> recalls = new ArrayList<>(0);
    private long lastAsk;
    private long seen;
    /** Sequence of the first grant since anything was given up: what was held by then, or came later, has been held without a pause. */
    private long unbrokenSince = NEVER;

    private boolean drainRunning;
    private boolean fenced;

    HeldTokens(Resource resource, TokenGate gate, Actions actions) {
        this.resource = resource;
        this.gate = gate;
        this.actions = actions;
    }

    /** Gives the waiter its ticket at once if it can, else asks the owner where that was not done; it will be woken. */
    void want(Waiter waiter) {
        waiters.add(waiter);
        serveWaiters();
    }

    /** The waiter lost patience. False if it was woken already (and may hold a ticket). */
    boolean withdraw(Waiter waiter) {
        return waiters.remove(waiter);
    }

    void granted(TokenMessage.Grant grant) {
        if (fenced) {
            return; // of the session that ended
        }
        seen = grant.sequence();
        if (unbrokenSince == NEVER) {
            unbrokenSince = grant.sequence();
        }
        asks.remove(grant.id());
        insert(grant.fromByte(), grant.toByte(), grant.mode());
        reopenForWaiters();
        publish();
        serveWaiters();
    }

    void recalled(TokenMessage.Recall wanted) {
        startRecalls(wanted.fromByte(), wanted.toByte(), wanted.keep(), Urgency.WANTED);
    }

    /** Who uses the resource goes on with it: ranges that two take from each other again and again help neither. */
    void askedToYield(TokenMessage.Yield wanted) {
        if (!activity.take(wanted.keep())) {
            startRecalls(wanted.fromByte(), wanted.toByte(), wanted.keep(), Urgency.OFFERED);
        }
    }

    /** Gives back everything that is held, unless it is used meanwhile. */
    void evict() {
        startRecalls(0, FileTokens.TO_END, null, Urgency.UNUSED);
    }

    void invalidated(Recall recall) {
        if (!recalls.contains(recall)) {
            return; // fenced meanwhile
        }
        if (recall.isVoluntary() && recall.mark.served()) {
            cancel(recall);
            return;
        }
        recall.step = Step.CLOSED;
        publish();
        drainWhereNeeded();
    }

    /** The gate's drain is done. */
    void drained() {
        drainRunning = false;
        settleDrained();
        drainWhereNeeded();
    }

    void flushed(Recall recall) {
        if (!recalls.contains(recall)) {
            return; // fenced meanwhile
        }
        if (recall.mark.served()) {
            anotherPass(recall);
            return;
        }
        recalls.remove(recall);
        if (recall.keep == null) {
            unbrokenSince = NEVER;
        }
        List<Piece> left = new ArrayList<>(pieces.size());
        for (Piece piece : pieces) {
            if (piece.recall != recall) {
                left.add(piece);
            } else if (recall.keep != null) {
                left.add(settled(piece, recall.keep));
            } else {
                piece.state = piece.state.become(TokenState.NONE);
            }
        }
        pieces = left;
        actions.send(new TokenMessage.Release(
                resource, recall.from, recall.to, recall.keep, Math.max(seen, actions.seenAtLeast())));
        mergeNeighbours();
        publish();
        serveWaiters();
    }

    /** The session is over: nothing is held, nothing will be. Returns whether anything was held that may be cached. */
    boolean fence() {
        boolean held = !pieces.isEmpty();
        for (Piece piece : pieces) {
            piece.state = piece.state.become(TokenState.FENCED);
        }
        pieces = new ArrayList<>(0);
        unbrokenSince = NEVER;
        fenced = true;
        asks.clear();
        recalls.clear();
        publish();
        for (Waiter waiter : waiters) {
            waiter.fenced = true;
            actions.wake(waiter);
        }
        waiters.clear();
        return held;
    }

    /**
     * The link to the owner is a new one: adds what is held to the list, and asks again for what was asked for. Recalls under way go on.
     */
    void reattach(List<TokenMessage.Held> into) {
        for (Piece piece : pieces) {
            into.add(new TokenMessage.Held(resource, piece.from, piece.to, piece.mode));
        }
        for (TokenMessage.Request ask : List.copyOf(asks.values())) {
            actions.send(ask);
        }
    }

    /** A new session begins after the last one ended. */
    void revive() {
        fenced = false;
    }

    /**
     * See {@link FileTokens#isHeldSince}. What an owner said before the present link was made does not count: a grant that came with it may be lost.
     */
    boolean isHeldSince(long sequence) {
        return sequence >= unbrokenSince && sequence >= actions.seenAtLeast();
    }

    /** Nothing is held, asked for, or under way: the object can be forgotten. */
    boolean isIdle() {
        return pieces.isEmpty() && asks.isEmpty() && waiters.isEmpty() && recalls.isEmpty() && !drainRunning;
    }

    boolean isRecalling() {
        return !recalls.isEmpty();
    }

    private void serveWaiters() {
        for (Iterator<Waiter> it = waiters.iterator(); it.hasNext(); ) {
            Waiter waiter = it.next();
            waiter.fenced = fenced;
            waiter.ticket = fenced ? FileTokens.REFUSED : gate.tryEnter(waiter.from, waiter.to, waiter.mode);
            if (fenced || waiter.ticket != FileTokens.REFUSED) {
                it.remove();
                actions.wake(waiter);
            }
        }
        for (Waiter waiter : waiters) {
            if (!isAskedFor(waiter) && !isHeld(waiter)) {
                ask(waiter);
            }
        }
    }

    /**
     * The range is there but closed by a recall. Its end decides: it opens again, or the waiter asks then. To ask now would only be told
     * again what is known, as often as it is asked.
     */
    private boolean isHeld(Waiter waiter) {
        long at = waiter.from;
        for (Piece piece : pieces) {
            if (piece.from <= at && at < piece.to && piece.mode.covers(waiter.mode)) {
                at = piece.to;
            }
        }
        return at >= waiter.to;
    }

    private boolean isAskedFor(Waiter waiter) {
        for (TokenMessage.Request ask : asks.values()) {
            if (ask.fromByte() <= waiter.from
                    && waiter.to <= ask.toByte()
                    && ask.mode().covers(waiter.mode)) {
                return true;
            }
        }
        return false;
    }

    private void ask(Waiter waiter) {
        long from = resource.hasRanges() ? Ranges.alignDown(waiter.from, Ranges.PAGE_BYTES) : 0;
        long to = resource.hasRanges() ? Ranges.alignUp(waiter.to, Ranges.PAGE_BYTES) : FileTokens.TO_END;
        TokenMessage.Request request = new TokenMessage.Request(resource, from, to, waiter.mode, ++lastAsk);
        asks.put(request.id(), request);
        actions.send(request);
    }

    /** Fills gaps and raises modes; what is being recalled goes on being recalled. */
    private void insert(long from, long to, Mode mode) {
        List<Piece> next = new ArrayList<>(pieces.size() + 2);
        long at = from;
        for (Piece piece : pieces) {
            if (!Ranges.overlap(piece.from, piece.to, from, to)) {
                next.add(piece);
                continue;
            }
            if (at < piece.from) {
                next.add(new Piece(at, piece.from, mode));
            }
            if (piece.mode.covers(mode)) {
                next.add(piece);
            } else {
                raise(piece, from, to, mode, next);
            }
            at = piece.to;
        }
        if (at < to) {
            next.add(new Piece(at, to, mode));
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
                merged.set(merged.size() - 1, new Piece(last.from, piece.to, piece.mode));
            } else {
                merged.add(piece);
            }
        }
        pieces = merged;
    }

    private void startRecalls(long from, long to, @Nullable Mode keep, Urgency urgency) {
        List<Piece> next = new ArrayList<>(pieces.size() + 2);
        List<Recall> begun = new ArrayList<>(1);
        for (Piece piece : pieces) {
            if (!Ranges.overlap(piece.from, piece.to, from, to)) {
                next.add(piece);
            } else if (piece.recall != null) {
                next.add(piece);
                if (urgency == Urgency.WANTED) {
                    strengthen(piece.recall, keep);
                }
            } else if (keep == Mode.SHARED && piece.mode == Mode.SHARED) {
                next.add(piece);
            } else {
                begun.add(split(piece, from, to, keep, urgency, next));
            }
        }
        pieces = next;
        recalls.addAll(begun);
        publish();
        begun.forEach(actions::invalidate);
    }

    private static Recall split(
            Piece piece, long from, long to, @Nullable Mode keep, Urgency urgency, List<Piece> into) {
        if (piece.from < from) {
            into.add(new Piece(piece.from, from, piece.mode));
        }
        Piece wanted = new Piece(Math.max(piece.from, from), Math.min(piece.to, to), piece.mode);
        Recall recall = new Recall(wanted.from, wanted.to, keep, urgency);
        wanted.state = wanted.state.become(TokenState.RECALLING);
        wanted.recall = recall;
        into.add(wanted);
        if (piece.to > to) {
            into.add(new Piece(to, piece.to, piece.mode));
        }
        return recall;
    }

    /** Another recall of what is being recalled: it may want more of it. What was kept so far then needs another pass. */
    private static void strengthen(Recall recall, @Nullable Mode keep) {
        if (recall.isVoluntary()) {
            recall.urgency = Urgency.WANTED;
            recall.mark.set(); // its pass may have spared the kernel; the next one invalidates
        }
        if (recall.keep != null && keep == null) {
            recall.keep = null;
            recall.mark.set();
        }
    }

    /** Ranges whose recall has closed them already, but which waiters were just granted, get another pass to serve them in. */
    private void reopenForWaiters() {
        for (Recall recall : recalls) {
            for (Waiter waiter : waiters) {
                if (!recall.isOpen() && Ranges.overlap(recall.from, recall.to, waiter.from, waiter.to)) {
                    recall.mark.set();
                }
            }
        }
    }

    private void drainWhereNeeded() {
        while (!drainRunning) {
            boolean needed = false;
            for (Recall recall : recalls) {
                if (recall.step == Step.CLOSED) {
                    recall.step = Step.DRAINING;
                    needed = true;
                }
            }
            if (!needed) {
                return;
            }
            drainRunning = !gate.startDrain();
            if (!drainRunning) {
                settleDrained();
            }
        }
    }

    private void settleDrained() {
        for (Recall recall : List.copyOf(recalls)) {
            if (recall.step != Step.DRAINING) {
                continue;
            }
            if (!recall.mark.served()) {
                recall.step = Step.FLUSHING;
                actions.flush(recall);
            } else if (recall.isVoluntary()) {
                cancel(recall);
            } else {
                anotherPass(recall);
            }
        }
    }

    private void anotherPass(Recall recall) {
        recall.step = Step.INVALIDATING;
        recall.mark = recall.freshMark();
        publish();
        serveWaiters();
        actions.invalidate(recall);
    }

    private void cancel(Recall recall) {
        recalls.remove(recall);
        pieces.replaceAll(piece -> piece.recall == recall ? settled(piece, piece.mode) : piece);
        mergeNeighbours();
        publish();
        serveWaiters();
    }

    private static Piece settled(Piece recalled, Mode mode) {
        recalled.state = recalled.state.become(TokenState.HELD);
        return new Piece(recalled.from, recalled.to, mode);
    }

    private void publish() {
        if (pieces.isEmpty()) {
            gate.publish(Coverage.NONE);
            return;
        }
        int count = pieces.size();
        long[] from = new long[count];
        long[] to = new long[count];
        boolean[] exclusive = new boolean[count];
        int used = 0;
        for (Piece piece : pieces) {
            Recall recall = piece.recall;
            Mode mode = recall == null || recall.isOpen() ? piece.mode : recall.keep;
            if (mode != null) {
                from[used] = piece.from;
                to[used] = piece.to;
                exclusive[used] = mode == Mode.EXCLUSIVE;
                used++;
            }
        }
        List<Coverage.ServedMark> marks = new ArrayList<>(recalls.size());
        for (Recall recall : recalls) {
            marks.add(recall.mark);
        }
        Coverage coverage = new Coverage(
                Arrays.copyOf(from, used),
                Arrays.copyOf(to, used),
                Arrays.copyOf(exclusive, used),
                marks.toArray(new Coverage.ServedMark[0]),
                activity);
        if (coverage.wholeMode() != 0) {
            activity.note(Mode.EXCLUSIVE); // for all that will not be noted
        }
        gate.publish(coverage);
    }
}
