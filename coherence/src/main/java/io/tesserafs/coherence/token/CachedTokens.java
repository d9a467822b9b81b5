package io.tesserafs.coherence.token;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One resource in a {@link TokenCache}: the gate, the state machine, its lock, and the threads that wait. Thread-safe.
 *
 * <p>The state machine runs under this object's monitor and never blocks. What it wants done is noted, and done after the monitor
 * was left: messages by the cache's outbox, which keeps their order, and work that may block by the cache's threads.
 */
final class CachedTokens implements FileTokens {
    /** An invalidation of clean pages takes microseconds; a machine may be busy. */
    private static final long STUCK_MS = 100;

    /** A thread in {@link #enter}. */
    private static final class WaitingThread extends HeldTokens.Waiter {
        private final Thread thread = Thread.currentThread();
        private volatile boolean woken;

        /** From there to the end are pages that the thread's request has locked, or may have; none if that is not before the end. */
        private long firstPage;

        private long endPage;
        /** It has locked them for certain. */
        private boolean surely;

        WaitingThread(long from, long to, Mode mode) {
            super(from, to, mode);
        }

        void lockPages(LockedPages pages) {
            if (!pages.isEmpty()) {
                firstPage = Ranges.alignDown(pages.fromByte(), Ranges.PAGE_BYTES);
                endPage = Ranges.alignUp(pages.toByte(), Ranges.PAGE_BYTES);
                surely = pages.surely();
            }
        }

        boolean hasPages() {
            return firstPage < endPage;
        }
    }

    /** Work that may block: a recall's flush, after which {@code keep} stays, or its invalidation. */
    private record Job(
            RangeRecall recall, boolean flush, @Nullable Mode keep) {}

    /** Notes what the state machine wants. Under the monitor. */
    private final class Notes implements HeldTokens.Actions {
        private List<Job> jobs = new ArrayList<>(0);

        @Override
        public void send(TokenMessage.ToOwner message) {
            cache.enqueue(message, generation);
        }

        @Override
        public long seenAtLeast() {
            return cache.seenAtLeast();
        }

        @Override
        public void invalidate(RangeRecall recall) {
            jobs.add(new Job(recall, false, null));
        }

        @Override
        public void flush(RangeRecall recall) {
            jobs.add(new Job(recall, true, recall.keep()));
        }

        @Override
        public void wake(HeldTokens.Waiter waiter) {
            WaitingThread waiting = (WaitingThread) waiter;
            waiting.woken = true;
            waitingWithPages.remove(waiting);
            LockSupport.unpark(waiting.thread);
        }

        List<Job> take() {
            if (jobs.isEmpty()) {
                return List.of();
            }
            List<Job> taken = jobs;
            jobs = new ArrayList<>(0);
            return taken;
        }
    }

    private final TokenCache cache;
    private final Resource resource;
    private final Notes notes = new Notes();
    private final TokenGate gate;
    private final HeldTokens held;
    /** Guarded by this, as is the next. */
    private final List<WaitingThread> waitingWithPages = new ArrayList<>(0);

    private final List<InvalidationPass> passes = new ArrayList<>(0);

    /** Opens minus closes. Written by the cache, under its map's lock for this resource. */
    private volatile int references;

    /** Of the link that messages are exchanged over. Guarded by this. */
    private long generation;

    CachedTokens(TokenCache cache, Resource resource, long generation) {
        this.cache = cache;
        this.generation = generation;
        this.resource = resource;
        // The last one out may be a request's reader thread, so it only hands over.
        this.gate = new TokenGate(() -> cache.execute(this::drained));
        this.held = new HeldTokens(resource, gate, notes);
    }

    @Override
    public int tryEnter(long fromByte, long toByte, Mode mode) {
        return gate.tryEnter(fromByte, toByte, mode);
    }

    @Override
    public void exit(int ticket) {
        gate.exit(ticket);
    }

    @Override
    public int enter(long fromByte, long toByte, Mode mode) throws TokenException {
        return enterWithPagesLocked(fromByte, toByte, mode, LockedPages.NONE);
    }

    @Override
    public int enterWithPagesLocked(long fromByte, long toByte, Mode mode, LockedPages pages) throws TokenException {
        Ranges.check(fromByte, toByte);
        int ticket = gate.tryEnter(fromByte, toByte, mode);
        if (ticket != REFUSED) {
            return ticket;
        }
        WaitingThread waiter = new WaitingThread(fromByte, toByte, mode);
        waiter.lockPages(pages);
        advance(() -> {
            held.want(waiter);
            if (waiter.hasPages() && !waiter.woken) {
                stepAround(waiter);
            }
        });
        while (!waiter.woken) {
            LockSupport.park(this);
            if (Thread.interrupted()) {
                if (withdraw(waiter)) {
                    throw new TokenException(
                            TokenException.Reason.INTERRUPTED, "Interrupted while waiting for a token");
                }
                Thread.currentThread().interrupt(); // granted at the same moment: the caller's next wait will notice
            }
        }
        if (waiter.fenced) {
            throw new TokenException(
                    TokenException.Reason.SESSION_ENDED, "The session with the volume's owner is over");
        }
        return waiter.ticket;
    }

    @Override
    public void waitWithPagesLocked(LockedPages pages, Wait wait) throws InterruptedException {
        WaitingThread waiter = new WaitingThread(pages.fromByte(), pages.toByte(), Mode.SHARED);
        waiter.lockPages(pages);
        advance(() -> stepAround(waiter));
        try {
            wait.await();
        } finally {
            synchronized (this) {
                waitingWithPages.remove(waiter);
            }
        }
    }

    @Override
    public void invalidate(long fromByte, long toByte) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        long from = Ranges.alignDown(fromByte, Ranges.PAGE_BYTES);
        long to = Ranges.alignUp(toByte, Ranges.PAGE_BYTES);
        cache.execute(() -> work(startPass(new InvalidationPass(from, to, done::countDown))));
        done.await();
    }

    @Override
    public int enterNow(long fromByte, long toByte, Mode mode) {
        Ranges.check(fromByte, toByte);
        WaitingThread waiter = new WaitingThread(fromByte, toByte, mode);
        advance(() -> held.want(waiter));
        if (!waiter.woken && withdraw(waiter)) {
            return REFUSED;
        }
        return waiter.ticket; // REFUSED as well if the session is over
    }

    @Override
    public synchronized boolean isHeldSince(long sequence) {
        return held.isHeldSince(sequence);
    }

    @Override
    public synchronized boolean isHeld(long fromByte, long toByte, Mode mode) {
        return held.isHeld(fromByte, toByte, mode);
    }

    @Override
    public synchronized boolean mayBeCached(long fromByte, long toByte) {
        for (WaitingThread waiter : waitingWithPages) {
            if (Ranges.overlap(waiter.firstPage, waiter.endPage, fromByte, toByte)) {
                return true;
            }
        }
        return held.isAnyHeld(fromByte, toByte);
    }

    @Override
    public void close() {
        cache.close(this);
    }

    Resource resource() {
        return resource;
    }

    int references() {
        return references;
    }

    /** Under the map's lock for this resource. */
    void countReference(int change) {
        references = Math.addExact(references, change);
        if (references < 0) {
            throw new IllegalStateException("closed more often than opened: " + resource);
        }
    }

    /** {@code from}: the generation of the link it came by; an older one speaks of what this node has said anew since. */
    void receive(TokenMessage.ToNode message, long from) {
        advance(() -> {
            if (from != generation) {
                return;
            }
            switch (message) {
                case TokenMessage.Grant grant -> held.granted(grant);
                case TokenMessage.Recall recall -> held.recalled(recall);
                case TokenMessage.Yield offered -> held.askedToYield(offered);
            }
        });
    }

    /** The next messages go over a new link; adds what is held. */
    synchronized void reattach(long next, List<TokenMessage.Held> into) {
        generation = next;
        held.reattach(into);
    }

    /** For one of which the last {@link #reattach} did not know, and that holds nothing. */
    synchronized void follow(long present) {
        if (generation < present && held.isIdle()) {
            generation = present;
        }
    }

    synchronized void revive() {
        held.revive();
    }

    /**
     * Gives everything back unless it comes into use meanwhile. May block; on a thread of the cache. Of DATA the kernel is not told: nobody has
     * the file open, and who opens it next without a token starts with an empty page cache. Names and attributes it would go on believing.
     */
    void evict() {
        work(step(held::evict));
    }

    synchronized boolean isIdle() {
        return held.isIdle();
    }

    /** Ends all use; true if something may be cached that has to be invalidated now. */
    synchronized boolean fence() {
        return held.fence();
    }

    /** Invalidations under way must not wait for the pages of this request. Under the monitor. */
    private void stepAround(WaitingThread waiter) {
        waitingWithPages.add(waiter);
        for (InvalidationPass pass : passes) {
            for (InvalidationPass.Piece piece : around(pass, waiter)) {
                start(pass, piece);
            }
            if (pass.isDone()) { // only its pages were left
                cache.execute(() -> work(finishPass(pass)));
            }
        }
    }

    private synchronized boolean withdraw(WaitingThread waiter) {
        waitingWithPages.remove(waiter);
        return held.withdraw(waiter);
    }

    private void drained() {
        work(step(held::drained));
    }

    /** A step on a thread that must not block. */
    private void advance(Runnable transition) {
        List<Job> jobs = step(transition);
        if (!jobs.isEmpty()) {
            cache.execute(() -> work(jobs));
        }
    }

    private List<Job> step(Runnable transition) {
        List<Job> jobs;
        synchronized (this) {
            transition.run();
            jobs = notes.take();
        }
        cache.flushOutbox();
        return jobs;
    }

    /** Does jobs and what follows from them. One at a time stays here; others must not wait for it and get threads of their own. */
    private void work(List<Job> jobs) {
        Job job = handOverAllButOne(jobs);
        while (job != null) {
            RangeRecall recall = job.recall();
            if (job.flush()) {
                job = handOverAllButOne(flush(recall, job.keep()));
            } else if (recall.isQuiet() && resource.kind() == Resource.Kind.DATA) {
                job = handOverAllButOne(step(() -> held.invalidated(recall)));
            } else {
                job = handOverAllButOne(
                        startPass(new InvalidationPass(recall.from, recall.to, () -> held.invalidated(recall))));
            }
        }
        if (references == 0) {
            cache.settle(this);
        }
    }

    private List<Job> flush(RangeRecall recall, @Nullable Mode keep) {
        List<Job> following = new ArrayList<>(0);
        cache.handler()
                .giveBack(
                        resource,
                        recall.from,
                        recall.to,
                        keep,
                        () -> following.addAll(step(() -> held.flushed(recall))));
        return following;
    }

    /** Returns what follows if it was done here and now. */
    private List<Job> startPass(InvalidationPass pass) {
        List<InvalidationPass.Piece> pieces;
        synchronized (this) {
            for (WaitingThread waiter : waitingWithPages) {
                var _ = around(pass, waiter);
            }
            pieces = pass.outstanding();
            passes.add(pass);
        }
        if (pieces.isEmpty()) {
            return finishPass(pass);
        }
        if (pieces.size() == 1 && !pieces.getFirst().mayBeStuck()) {
            return invalidateHere(pass, pieces.getFirst());
        }
        pieces.forEach(piece -> start(pass, piece));
        return List.of();
    }

    /** The pieces that a waiting request makes of a pass. Under the monitor. */
    private static List<InvalidationPass.Piece> around(InvalidationPass pass, WaitingThread waiter) {
        return waiter.surely
                ? pass.leaveOut(waiter.firstPage, waiter.endPage)
                : pass.isolate(waiter.firstPage, waiter.endPage);
    }

    private void start(InvalidationPass pass, InvalidationPass.Piece piece) {
        cache.execute(() -> invalidate(pass, piece));
        if (piece.mayBeStuck()) {
            cache.executeLater(() -> giveUp(pass, piece), STUCK_MS);
        }
    }

    /** Clean pages that are not locked are gone in no time; so these are locked, by the request that waits, and hold nothing. */
    private void giveUp(InvalidationPass pass, InvalidationPass.Piece piece) {
        synchronized (this) {
            if (!pass.finished(piece) || !pass.isDone()) {
                return;
            }
        }
        work(finishPass(pass));
    }

    private void invalidate(InvalidationPass pass, InvalidationPass.Piece piece) {
        work(invalidateHere(pass, piece));
    }

    private List<Job> invalidateHere(InvalidationPass pass, InvalidationPass.Piece piece) {
        cache.handler().invalidate(resource, piece.from(), piece.to());
        synchronized (this) {
            if (!pass.finished(piece) || !pass.isDone()) {
                return List.of();
            }
        }
        return finishPass(pass);
    }

    private List<Job> finishPass(InvalidationPass pass) {
        return step(() -> {
            if (passes.remove(pass)) {
                pass.done();
            }
        });
    }

    private @Nullable Job handOverAllButOne(List<Job> jobs) {
        for (int i = 1; i < jobs.size(); i++) {
            List<Job> other = List.of(jobs.get(i));
            cache.execute(() -> work(other));
        }
        return jobs.isEmpty() ? null : jobs.getFirst();
    }
}
