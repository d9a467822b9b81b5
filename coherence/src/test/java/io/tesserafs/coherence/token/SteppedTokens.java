package io.tesserafs.coherence.token;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One node's tokens of one resource without threads and locks: what {@link CachedTokens} does, one step at a time, for simulators. Whatever
 * would run on a thread of its own is handed to the {@link Host}, which runs it when it likes.
 */
public final class SteppedTokens {
    public static final long PAGE_BYTES = Ranges.PAGE_BYTES;

    /** Rules that a simulator breaks to show that it would notice. */
    public enum Flaw {
        RELEASES_BEFORE_INVALIDATION_ENDED,
        SKIPS_THE_DRAIN,
        WAITS_FOR_PAGES_OF_WAITING_REQUESTS,
        TAKES_MESSAGES_OF_OLD_LINKS,
        RELEASES_WITH_AN_OLD_SEEN,
        RELEASES_WITH_A_SEEN_TO_COME,
        /** An answer counts if the token is there when it arrives, whatever was in between. */
        TRUSTS_OLD_ANSWERS,
        /** A grant that nobody asked for is ignored. */
        IGNORES_OFFERS
    }

    /** A request of an application. Between entering and leaving it is inside. */
    public static class Request extends HeldTokens.Waiter {
        private final long lockedFrom;
        private final long lockedTo;

        /** @param lockedFrom pages that the kernel has locked for it, up to {@code lockedTo}; none if they are equal */
        public Request(long from, long to, Mode mode, long lockedFrom, long lockedTo) {
            super(from, to, mode);
            this.lockedFrom = lockedFrom;
            this.lockedTo = lockedTo;
        }

        public boolean isInside() {
            return ticket != FileTokens.REFUSED;
        }
    }

    /** A part of a range to be dropped from the kernel's cache. */
    public static final class Invalidation {
        private final InvalidationPass pass;
        private final InvalidationPass.Piece piece;

        private Invalidation(InvalidationPass pass, InvalidationPass.Piece piece) {
            this.pass = pass;
            this.piece = piece;
        }

        public long from() {
            return piece.from();
        }

        public long to() {
            return piece.to();
        }
    }

    /** The world around. Must not call back from within. */
    public interface Host {
        void send(TokenMessage.ToOwner message, long generation);

        long seenAtLeast();

        /** Runs it soon. */
        void soon(Runnable step);

        /** Drops the pages, waiting for locked ones; then {@link #invalidated}. */
        void invalidate(Resource resource, Invalidation what);

        /** It is inside now, or was refused because the session is over. */
        void woken(Request request);
    }

    /** Skips the wait for those inside, and remembers what is published. */
    private static final class WatchedGate extends TokenGate {
        private final boolean impatient;
        private Coverage published = Coverage.NONE;

        WatchedGate(Runnable onDrained, boolean impatient) {
            super(onDrained);
            this.impatient = impatient;
        }

        @Override
        boolean startDrain() {
            return impatient || super.startDrain();
        }

        @Override
        void publish(Coverage next) {
            published = next;
            super.publish(next);
        }
    }

    private final class Actions implements HeldTokens.Actions {
        @Override
        public void send(TokenMessage.ToOwner message) {
            host.send(message instanceof TokenMessage.Release release ? spoilt(release) : message, generation);
        }

        @Override
        public long seenAtLeast() {
            return host.seenAtLeast();
        }

        @Override
        public void invalidate(RangeRecall recall) {
            host.soon(() -> startPass(recall));
        }

        @Override
        public void flush(RangeRecall recall) {
            host.soon(() -> held.flushed(recall));
        }

        @Override
        public void wake(HeldTokens.Waiter waiter) {
            Request request = (Request) waiter;
            waitingWithPages.remove(request);
            host.woken(request);
        }
    }

    private final Resource resource;
    private final Host host;
    private final Set<Flaw> flaws;
    private final WatchedGate gate;
    private final HeldTokens held;
    private final List<Request> waitingWithPages = new ArrayList<>();
    private final List<InvalidationPass> passes = new ArrayList<>();
    private long generation;

    public SteppedTokens(Resource resource, Host host, Set<Flaw> flaws) {
        this.resource = resource;
        this.host = host;
        this.flaws = flaws.isEmpty() ? EnumSet.noneOf(Flaw.class) : EnumSet.copyOf(flaws);
        this.gate = new WatchedGate(() -> host.soon(this::drained), flaws.contains(Flaw.SKIPS_THE_DRAIN));
        this.held = new HeldTokens(resource, gate, new Actions());
    }

    public Resource resource() {
        return resource;
    }

    /** True if it is inside already; else {@link Host#woken} comes, perhaps from within. */
    public boolean enter(Request request) {
        if (tryEnter(request)) {
            return true;
        }
        held.want(request);
        boolean waits = !request.isInside() && !request.fenced;
        if (waits
                && request.lockedFrom < request.lockedTo
                && !flaws.contains(Flaw.WAITS_FOR_PAGES_OF_WAITING_REQUESTS)) {
            stepAround(request);
        }
        return false;
    }

    /** True if it is inside now; else nothing is asked for. */
    public boolean tryEnter(Request request) {
        request.ticket = gate.tryEnter(request.from, request.to, request.mode);
        return request.isInside();
    }

    public void leave(Request request) {
        gate.exit(request.ticket);
        request.ticket = FileTokens.REFUSED;
    }

    public void receive(TokenMessage.ToNode message, long from) {
        if (from != generation && !flaws.contains(Flaw.TAKES_MESSAGES_OF_OLD_LINKS)) {
            return;
        }
        switch (message) {
            case TokenMessage.Grant grant -> {
                if (grant.id() != TokenMessage.NOBODY_ASKED || !flaws.contains(Flaw.IGNORES_OFFERS)) {
                    held.granted(grant);
                }
            }
            case TokenMessage.Recall recall -> held.recalled(recall);
            case TokenMessage.Yield offered -> held.askedToYield(offered);
        }
    }

    public void reattach(long next, List<TokenMessage.Held> into) {
        generation = next;
        held.reattach(into);
    }

    public void fence() {
        held.fence();
    }

    public void revive() {
        held.revive();
    }

    public void evict() {
        held.evict();
    }

    /** For one who is inside, see {@link FileTokens#isHeldSince}. */
    public boolean isHeldSince(long sequence) {
        return sequence != 0 && (held.isHeldSince(sequence) || flaws.contains(Flaw.TRUSTS_OLD_ANSWERS));
    }

    /** Requests would be served there now. */
    public boolean serves(long from, long to, Mode mode) {
        return gate.published.covers(from, to, mode);
    }

    public void invalidated(Invalidation what) {
        InvalidationPass pass = what.pass;
        boolean ends = what.from() == what.to() || pass.finished(what.piece);
        if (ends && pass.isDone()) {
            finish(pass);
        }
    }

    private void finish(InvalidationPass pass) {
        if (passes.remove(pass)) {
            pass.done();
        }
    }

    private void startPass(RangeRecall recall) {
        InvalidationPass pass = new InvalidationPass(recall.from, recall.to, () -> held.invalidated(recall));
        if (!flaws.contains(Flaw.WAITS_FOR_PAGES_OF_WAITING_REQUESTS)) {
            for (Request request : waitingWithPages) {
                pass.leaveOut(request.lockedFrom, request.lockedTo);
            }
        }
        passes.add(pass);
        pass.outstanding().forEach(piece -> host.invalidate(resource, new Invalidation(pass, piece)));
        if (pass.isDone() || flaws.contains(Flaw.RELEASES_BEFORE_INVALIDATION_ENDED)) {
            finish(pass);
        }
    }

    private void stepAround(Request request) {
        waitingWithPages.add(request);
        for (InvalidationPass pass : List.copyOf(passes)) {
            for (InvalidationPass.Piece piece : pass.leaveOut(request.lockedFrom, request.lockedTo)) {
                host.invalidate(resource, new Invalidation(pass, piece));
            }
            if (pass.isDone()) {
                host.soon(() -> finish(pass));
            }
        }
    }

    private void drained() {
        held.drained();
    }

    private TokenMessage.Release spoilt(TokenMessage.Release release) {
        if (flaws.contains(Flaw.RELEASES_WITH_AN_OLD_SEEN)) {
            return withSeen(release, 0);
        }
        return flaws.contains(Flaw.RELEASES_WITH_A_SEEN_TO_COME) ? withSeen(release, Long.MAX_VALUE) : release;
    }

    private static TokenMessage.Release withSeen(TokenMessage.Release release, long seen) {
        @Nullable Mode keep = release.keep();
        return new TokenMessage.Release(release.resource(), release.fromByte(), release.toByte(), keep, seen);
    }
}
