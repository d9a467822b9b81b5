package io.tesserafs.coherence.token;

import java.util.ArrayList;
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
        void invalidate(RangeRecall recall);

        /** Save what is unsaved of the recall's range, then call {@link HeldTokens#flushed}. */
        void flush(RangeRecall recall);

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

    private final Resource resource;
    private final TokenGate gate;
    private final Actions actions;
    private final Coverage.Activity activity = new Coverage.Activity();

    private final HeldRanges ranges = new HeldRanges();

    /** REQUESTED: sent, not answered. */
    private final Map<Long, TokenMessage.Request> asks = new HashMap<>(2);

    private final List<Waiter> waiters = new ArrayList<>(0);
    private final List<RangeRecall> recalls = new ArrayList<>(0);
    private long lastAsk;
    private long seen;
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
        if (fenced || grant.sequence() <= actions.seenAtLeast()) {
            return; // of the session that ended, or from before the present link was made: the owner knows nothing of
            // it any more
        }
        seen = grant.sequence();
        asks.remove(grant.id());
        ranges.insert(grant.fromByte(), grant.toByte(), grant.mode(), grant.sequence());
        reopenForWaiters();
        publish();
        serveWaiters();
    }

    void recalled(TokenMessage.Recall wanted) {
        startRecalls(wanted.fromByte(), wanted.toByte(), wanted.keep(), RangeRecall.Urgency.WANTED);
    }

    /** Who uses the resource goes on with it: ranges that two take from each other again and again help neither. */
    void askedToYield(TokenMessage.Yield wanted) {
        if (!activity.take(wanted.keep())) {
            startRecalls(wanted.fromByte(), wanted.toByte(), wanted.keep(), RangeRecall.Urgency.OFFERED);
        }
    }

    /** Gives back everything that is held, unless it is used meanwhile. */
    void evict() {
        startRecalls(0, FileTokens.TO_END, null, RangeRecall.Urgency.UNUSED);
    }

    void invalidated(RangeRecall recall) {
        if (!recalls.contains(recall)) {
            return; // fenced meanwhile
        }
        if (recall.isVoluntary() && recall.mark().served()) {
            cancel(recall);
            return;
        }
        recall.move(RangeRecall.Step.CLOSED);
        publish();
        drainWhereNeeded();
    }

    /** The gate's drain is done. */
    void drained() {
        drainRunning = false;
        settleDrained();
        drainWhereNeeded();
    }

    void flushed(RangeRecall recall) {
        if (!recalls.contains(recall)) {
            return; // fenced meanwhile
        }
        if (recall.mark().served()) {
            anotherPass(recall);
            return;
        }
        recalls.remove(recall);
        ranges.finish(recall);
        actions.send(new TokenMessage.Release(
                resource, recall.from, recall.to, recall.keep(), Math.max(seen, actions.seenAtLeast())));
        publish();
        serveWaiters();
    }

    /** The session is over: nothing is held, nothing will be. Returns whether anything was held that may be cached. */
    boolean fence() {
        boolean held = !ranges.isEmpty();
        ranges.fence();
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
        ranges.addTo(into, resource);
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
        return ranges.isHeldSince(sequence) && sequence >= actions.seenAtLeast();
    }

    /** Nothing is held, asked for, or under way: the object can be forgotten. */
    boolean isIdle() {
        return ranges.isEmpty() && asks.isEmpty() && waiters.isEmpty() && recalls.isEmpty() && !drainRunning;
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
        return isHeld(waiter.from, waiter.to, waiter.mode);
    }

    /** Whether any of it is held. */
    boolean isAnyHeld(long from, long to) {
        return ranges.overlap(from, to);
    }

    /** See {@link FileTokens#isHeld}. */
    boolean isHeld(long from, long to, Mode mode) {
        return ranges.cover(from, to, mode);
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

    private void startRecalls(long from, long to, @Nullable Mode keep, RangeRecall.Urgency urgency) {
        List<RangeRecall> begun = ranges.recall(from, to, keep, urgency);
        recalls.addAll(begun);
        publish();
        begun.forEach(actions::invalidate);
    }

    /** Ranges whose recall has closed them already, but which waiters were just granted, get another pass to serve them in. */
    private void reopenForWaiters() {
        for (RangeRecall recall : recalls) {
            for (Waiter waiter : waiters) {
                if (!recall.isOpen() && Ranges.overlap(recall.from, recall.to, waiter.from, waiter.to)) {
                    recall.mark().set();
                }
            }
        }
    }

    private void drainWhereNeeded() {
        while (!drainRunning) {
            boolean needed = false;
            for (RangeRecall recall : recalls) {
                if (recall.step() == RangeRecall.Step.CLOSED) {
                    recall.move(RangeRecall.Step.DRAINING);
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
        for (RangeRecall recall : List.copyOf(recalls)) {
            if (recall.step() != RangeRecall.Step.DRAINING) {
                continue;
            }
            if (!recall.mark().served()) {
                recall.move(RangeRecall.Step.FLUSHING);
                actions.flush(recall);
            } else if (recall.isVoluntary()) {
                cancel(recall);
            } else {
                anotherPass(recall);
            }
        }
    }

    private void anotherPass(RangeRecall recall) {
        recall.beginPass();
        publish();
        serveWaiters();
        actions.invalidate(recall);
    }

    private void cancel(RangeRecall recall) {
        recalls.remove(recall);
        ranges.cancel(recall);
        publish();
        serveWaiters();
    }

    private void publish() {
        if (ranges.isEmpty()) {
            gate.publish(Coverage.NONE);
            return;
        }
        Coverage coverage = ranges.coverage(recalls, activity);
        if (coverage.wholeMode() != 0) {
            activity.note(Mode.EXCLUSIVE); // for all that will not be noted
        }
        gate.publish(coverage);
    }
}
