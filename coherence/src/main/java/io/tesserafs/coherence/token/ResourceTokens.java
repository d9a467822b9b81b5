package io.tesserafs.coherence.token;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The owner's view of one resource: holdings and a queue. Part of {@link TokenTable}.
 *
 * <p>A request is granted as soon as it conflicts neither with what other sessions hold nor with a request of another session that
 * came before it. Of what stands in the way, everything is recalled at once, for every request that waits; the waiting
 * request remembers the sequence up to which it has done so, and recalls what is granted later when it is.
 */
final class ResourceTokens {
    /** A range that one session holds; holdings of one session do not overlap. */
    private record Holding(SessionId session, long from, long to, Mode mode, long sequence) {}

    private record Span(long from, long to) {}

    /** A request in the queue. */
    private static final class Waiting {
        final SessionId session;
        final TokenMessage.Request request;
        /** Conflicting holdings granted up to this sequence have been recalled for this request. */
        long recalledUpTo;

        Waiting(SessionId session, TokenMessage.Request request) {
            this.session = session;
            this.request = request;
        }

        boolean conflictsWith(SessionId other, long from, long to, Mode mode) {
            return !session.equals(other)
                    && Ranges.overlap(request.fromByte(), request.toByte(), from, to)
                    && (mode == Mode.EXCLUSIVE || request.mode() == Mode.EXCLUSIVE);
        }
    }

    private final Resource resource;
    private final List<Holding> holdings = new ArrayList<>(1);
    private final List<Waiting> queue = new ArrayList<>(0);
    private final List<Sweep> sweeps = new ArrayList<>(0);
    private final Foresight foresight = new Foresight();

    ResourceTokens(Resource resource) {
        this.resource = resource;
    }

    Resource resource() {
        return resource;
    }

    boolean isUnused() {
        return holdings.isEmpty() && queue.isEmpty();
    }

    void request(TokenTable table, SessionId session, TokenMessage.Request request) {
        Waiting waiting = new Waiting(session, request);
        queue.add(waiting);
        long more = resource.kind() == Resource.Kind.DATA ? foresee(waiting) : 0;
        advance(table);
        if (more > request.toByte() - request.fromByte()) {
            offer(table, waiting, more);
        }
        if (!queue.isEmpty()) {
            table.contended(this);
        }
    }

    /** If it is refused, somebody holds it or waits; so it is never left behind unused. */
    boolean offer(TokenTable table, SessionId session, Mode mode) {
        Mode has = held(session, 0, FileTokens.TO_END);
        if (has != null && has.covers(mode)) {
            return true;
        }
        if (!isFree(session, 0, FileTokens.TO_END, mode, queue.size())) {
            return false;
        }
        enter(table, session, 0, FileTokens.TO_END, mode, TokenMessage.NOBODY_ASKED);
        return true;
    }

    /** Adds what was recalled for those who wait and is not released yet. False if nobody waits. */
    boolean awaited(List<TokenTable.Awaited> into) {
        for (Waiting waiting : queue) {
            for (Holding holding : holdings) {
                if (holding.sequence <= waiting.recalledUpTo
                        && waiting.conflictsWith(holding.session, holding.from, holding.to, holding.mode)) {
                    into.add(new TokenTable.Awaited(
                            holding.session, resource, holding.from, holding.to, holding.sequence));
                }
            }
        }
        return !queue.isEmpty();
    }

    void release(TokenTable table, SessionId session, TokenMessage.Release release) {
        cut(session, release.fromByte(), release.toByte(), release.seen(), release.keep());
        advance(table);
    }

    void endSession(TokenTable table, SessionId session) {
        boolean changed = holdings.removeIf(holding -> holding.session.equals(session));
        changed |= queue.removeIf(waiting -> waiting.session.equals(session));
        if (changed) {
            advance(table);
        }
    }

    /** As {@link #endSession}, but nobody profits from it yet. */
    void forget(SessionId session) {
        holdings.removeIf(holding -> holding.session.equals(session));
        queue.removeIf(waiting -> waiting.session.equals(session));
    }

    void restore(TokenTable table, SessionId session, TokenMessage.Held held) {
        for (Holding other : holdings) {
            if (!other.session.equals(session)
                    && Ranges.overlap(other.from, other.to, held.fromByte(), held.toByte())
                    && (other.mode == Mode.EXCLUSIVE || held.mode() == Mode.EXCLUSIVE)) {
                throw new IllegalStateException(session + " claims " + held + ", but there is " + other);
            }
        }
        long sequence = table.nextSequence();
        holdings.add(new Holding(session, held.fromByte(), held.toByte(), held.mode(), sequence));
        sweeps.forEach(sweep -> sweep.follow(session, sequence));
    }

    /** Recalls all that is held now. */
    void sweep(TokenTable table, Runnable onDone) {
        Sweep sweep = new Sweep(onDone);
        for (Holding holding : holdings) {
            sweep.include(holding.session, holding.sequence);
        }
        sweeps.add(sweep);
        advance(table);
    }

    void collect(SessionId session, List<TokenMessage.Held> into) {
        for (Holding holding : holdings) {
            if (holding.session.equals(session)) {
                into.add(new TokenMessage.Held(resource, holding.from, holding.to, holding.mode));
            }
        }
    }

    @Nullable
    Mode held(SessionId session, long from, long to) {
        long at = from;
        Mode weakest = Mode.EXCLUSIVE;
        holdings.sort(Comparator.comparingLong(Holding::from));
        for (Holding holding : holdings) {
            if (at < to && holding.session.equals(session) && holding.from <= at && at < holding.to) {
                at = holding.to;
                weakest = holding.mode == Mode.SHARED ? Mode.SHARED : weakest;
            }
        }
        return at >= to ? weakest : null;
    }

    void list(List<TokenTable.Entry> into) {
        for (Holding own : holdings) {
            into.add(new TokenTable.Entry(own.session, resource, own.from, own.to, own.mode, false));
        }
        for (Waiting waiting : queue) {
            TokenMessage.Request wanted = waiting.request;
            into.add(new TokenTable.Entry(
                    waiting.session, resource, wanted.fromByte(), wanted.toByte(), wanted.mode(), true));
        }
    }

    /** One pass in order of arrival is enough: a grant only adds holdings, so it makes no earlier request possible. */
    void advance(TokenTable table) {
        for (int i = 0; i < queue.size(); ) {
            Waiting waiting = queue.get(i);
            TokenMessage.Request wanted = waiting.request;
            if (isFree(waiting.session, wanted.fromByte(), wanted.toByte(), wanted.mode(), i)) {
                queue.remove(i);
                grant(table, waiting.session, wanted);
            } else {
                i++;
            }
        }
        for (Waiting waiting : queue) {
            recallFor(table, waiting);
        }
        sweeps.removeIf(sweep -> isOver(table, sweep));
    }

    private boolean isOver(TokenTable table, Sweep sweep) {
        boolean over = true;
        for (Holding holding : holdings) {
            if (sweep.isToBeRecalled(holding.session, holding.sequence)) {
                table.send(holding.session, new TokenMessage.Recall(resource, holding.from, holding.to, null));
            }
            over &= !sweep.means(holding.session, holding.sequence);
        }
        sweep.recalled(table.lastSequence());
        if (over) {
            sweep.done();
        }
        return over;
    }

    /** Whether the session could have the range, given what others hold and the first {@code ahead} requests of the queue. */
    private boolean isFree(SessionId session, long from, long to, Mode mode, int ahead) {
        for (Holding holding : holdings) {
            if (!holding.session.equals(session)
                    && Ranges.overlap(holding.from, holding.to, from, to)
                    && (mode == Mode.EXCLUSIVE || holding.mode == Mode.EXCLUSIVE)) {
                return false;
            }
        }
        for (int i = 0; i < ahead; i++) {
            if (queue.get(i).conflictsWith(session, from, to, mode)) {
                return false;
            }
        }
        return true;
    }

    private void recallFor(TokenTable table, Waiting waiting) {
        TokenMessage.Request wanted = waiting.request;
        Mode keep = wanted.mode() == Mode.SHARED ? Mode.SHARED : null;
        for (Holding holding : holdings) {
            if (holding.sequence > waiting.recalledUpTo
                    && waiting.conflictsWith(holding.session, holding.from, holding.to, holding.mode)) {
                long from = Math.max(holding.from, wanted.fromByte());
                long to = Math.min(holding.to, wanted.toByte());
                table.send(holding.session, new TokenMessage.Recall(resource, from, to, keep));
            }
        }
        waiting.recalledUpTo = table.lastSequence();
    }

    /** How much others should be asked for together with a new request. */
    private long foresee(Waiting waiting) {
        Set<SessionId> losers = new HashSet<>(2);
        for (Holding holding : holdings) {
            if (waiting.conflictsWith(holding.session, holding.from, holding.to, holding.mode)) {
                losers.add(holding.session);
            }
        }
        TokenMessage.Request wanted = waiting.request;
        return losers.isEmpty() ? 0 : foresight.taking(waiting.session, losers, wanted.toByte() - wanted.fromByte());
    }

    /** Asks for what will be wanted next if this goes on; what is being recalled already is not concerned. */
    private void offer(TokenTable table, Waiting waiting, long bytes) {
        TokenMessage.Request wanted = waiting.request;
        long from = Ranges.alignDown(wanted.fromByte(), bytes);
        long to = Ranges.alignUp(wanted.toByte(), bytes);
        Mode keep = wanted.mode() == Mode.SHARED ? Mode.SHARED : null;
        Set<SessionId> asked = new HashSet<>(2);
        for (Holding holding : holdings) {
            boolean around = holding.from < to
                    && from < holding.to
                    && (Math.max(holding.from, from) < wanted.fromByte() || wanted.toByte() < Math.min(holding.to, to));
            boolean inTheWay = holding.mode == Mode.EXCLUSIVE || wanted.mode() == Mode.EXCLUSIVE;
            if (around && inTheWay && !holding.session.equals(waiting.session) && asked.add(holding.session)) {
                table.send(holding.session, new TokenMessage.Yield(resource, from, to, keep));
            }
        }
    }

    /** A range that is free, grown as far as that is so, within limits. */
    private Span grown(SessionId session, Span range, Mode mode, long lowest, long highest) {
        long low = lowest;
        long high = highest;
        for (Holding holding : holdings) {
            if (!holding.session.equals(session) && (mode == Mode.EXCLUSIVE || holding.mode == Mode.EXCLUSIVE)) {
                low = holding.to <= range.from ? Math.max(low, holding.to) : low;
                high = holding.from >= range.to ? Math.min(high, holding.from) : high;
            }
        }
        for (Waiting waiting : queue) {
            if (waiting.conflictsWith(session, low, high, mode)) {
                low = Math.max(low, Math.min(waiting.request.toByte(), range.from));
                high = Math.min(high, Math.max(waiting.request.fromByte(), range.to));
            }
        }
        return new Span(low, high);
    }

    private void grant(TokenTable table, SessionId session, TokenMessage.Request wanted) {
        long from = wanted.fromByte();
        long to = wanted.toByte();
        Mode mode = wanted.mode();
        int everybody = queue.size();
        long extentFrom = Ranges.alignDown(from, Ranges.EXTENT_BYTES);
        long extentTo = Ranges.alignUp(to, Ranges.EXTENT_BYTES);
        if (isFree(session, 0, FileTokens.TO_END, mode, everybody)) {
            from = 0;
            to = FileTokens.TO_END;
        } else if (isFree(session, extentFrom, extentTo, mode, everybody)) {
            from = extentFrom;
            to = extentTo;
        }
        long more = foresight.bytes();
        if (more > to - from) {
            Span free =
                    grown(session, new Span(from, to), mode, Ranges.alignDown(from, more), Ranges.alignUp(to, more));
            from = free.from;
            to = free.to;
        }
        // Neighbours in the same mode become one with it, unless somebody waits for them.
        for (boolean grown = true; grown; ) {
            grown = false;
            for (Holding own : holdings) {
                boolean touches = own.from <= to && from <= own.to;
                boolean adds = own.from < from || own.to > to;
                if (own.session.equals(session)
                        && own.mode == mode
                        && touches
                        && adds
                        && isFree(session, own.from, own.to, mode, everybody)) {
                    from = Math.min(from, own.from);
                    to = Math.max(to, own.to);
                    grown = true;
                }
            }
        }
        enter(table, session, from, to, mode, wanted.id());
    }

    /** Replaces what the session holds of the range, except that SHARED does not replace EXCLUSIVE, and tells it. */
    private void enter(TokenTable table, SessionId session, long from, long to, Mode mode, long id) {
        List<Holding> stronger = new ArrayList<>(0);
        if (mode == Mode.SHARED) {
            for (Holding own : holdings) {
                if (own.session.equals(session)
                        && own.mode == Mode.EXCLUSIVE
                        && Ranges.overlap(own.from, own.to, from, to)) {
                    stronger.add(own);
                }
            }
            stronger.sort(Comparator.comparingLong(Holding::from));
        }
        List<Holding> fresh = new ArrayList<>(1);
        long at = from;
        for (Holding own : stronger) {
            if (at < own.from) {
                fresh.add(new Holding(session, at, own.from, mode, table.nextSequence()));
            }
            at = own.to;
        }
        if (at < to) {
            fresh.add(new Holding(session, at, to, mode, table.nextSequence()));
        }
        if (fresh.isEmpty()) {
            // It holds all of it in a better mode: say so again, lest it waits for an answer (a release may be under
            // way).
            Holding own = stronger.getFirst();
            holdings.remove(own);
            long sequence = table.nextSequence();
            fresh.add(new Holding(session, own.from, own.to, own.mode, sequence));
            sweeps.forEach(sweep -> sweep.follow(session, sequence));
        }
        for (Holding holding : fresh) {
            if (cut(session, holding.from, holding.to, Long.MAX_VALUE, null)) {
                sweeps.forEach(sweep -> sweep.follow(session, holding.sequence));
            }
        }
        holdings.addAll(fresh);
        for (Holding holding : fresh) {
            boolean last = holding.equals(fresh.getLast());
            table.send(
                    session,
                    new TokenMessage.Grant(
                            resource, holding.from, holding.to, holding.mode, holding.sequence, last ? id : 0));
        }
    }

    /**
     * Takes the range from the session's holdings up to that sequence, or lowers them to {@code keep}.
     *
     * @return whether there was any
     */
    private boolean cut(SessionId session, long from, long to, long upToSequence, @Nullable Mode keep) {
        boolean any = false;
        List<Holding> pieces = new ArrayList<>(0);
        for (Iterator<Holding> it = holdings.iterator(); it.hasNext(); ) {
            Holding own = it.next();
            if (!own.session.equals(session)
                    || own.sequence > upToSequence
                    || !Ranges.overlap(own.from, own.to, from, to)) {
                continue;
            }
            it.remove();
            any = true;
            if (own.from < from) {
                pieces.add(new Holding(session, own.from, from, own.mode, own.sequence));
            }
            if (keep != null) {
                pieces.add(new Holding(
                        session, Math.max(own.from, from), Math.min(own.to, to), Mode.SHARED, own.sequence));
            }
            if (own.to > to) {
                pieces.add(new Holding(session, to, own.to, own.mode, own.sequence));
            }
        }
        holdings.addAll(pieces);
        return any;
    }
}
