package io.tesserafs.coherence.token;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * The owner's table and the state machines of three nodes in one thread: a seeded scheduler decides what happens next, so messages of
 * different links overtake each other, and requests, invalidations, drains and flushes interleave in any order.
 *
 * <p>Checked whenever a request enters: no other node is inside in a conflicting mode, none has the page unsaved, and for a write
 * none has it cached. At the end every request was served. Three broken variants show that the test would notice.
 */
class TokenModelTest {
    private static final int SEEDS = 5_000;
    private static final int NODES = 3;
    private static final int PAGES = 4;
    private static final long PAGE = Ranges.PAGE_BYTES;
    private static final int OPERATIONS = 25;

    /** By an operator. */
    private static final int MAX_RECALLS = 3;

    /** Bounds a run that gets nowhere. */
    private static final int MAX_STEPS = 20_000;

    private static final Resource FILE = Resource.data(1);

    private enum Flaw {
        NONE,
        RELEASES_WHILE_IN_USE,
        KEEPS_PAGES_CACHED,
        FORGETS_WHAT_CROSSED
    }

    /** Does not wait for those inside. */
    private static final class ImpatientGate extends TokenGate {
        ImpatientGate(Runnable onDrained) {
            super(onDrained);
        }

        @Override
        boolean startDrain() {
            return true;
        }
    }

    /** A request of an application; one with O_DIRECT locks and fills no pages. */
    private static final class Operation extends HeldTokens.Waiter {
        final boolean direct;

        Operation(long from, long to, Mode mode, boolean direct) {
            super(from, to, mode);
            this.direct = direct;
        }
    }

    /** Invalidation or flush of a recall. */
    private record Job(RangeRecall recall, boolean flush, boolean dropped) {}

    private static final class Node implements HeldTokens.Actions {
        final Flaw flaw;
        final Deque<TokenMessage.ToOwner> toOwner = new ArrayDeque<>();
        final Deque<TokenMessage.ToNode> toNode = new ArrayDeque<>();
        final List<Job> jobs = new ArrayList<>();
        final List<Operation> inside = new ArrayList<>();
        final List<Operation> woken = new ArrayList<>();
        final boolean[] cached = new boolean[PAGES];
        final boolean[] unsaved = new boolean[PAGES];
        final TokenGate gate;
        final HeldTokens held;
        int drains;

        Node(Flaw flaw) {
            this.flaw = flaw;
            gate = flaw == Flaw.RELEASES_WHILE_IN_USE
                    ? new ImpatientGate(() -> drains++)
                    : new TokenGate(() -> drains++);
            held = new HeldTokens(FILE, gate, this);
        }

        @Override
        public void send(TokenMessage.ToOwner message) {
            if (flaw == Flaw.FORGETS_WHAT_CROSSED && message instanceof TokenMessage.Release release) {
                toOwner.add(new TokenMessage.Release(
                        FILE, release.fromByte(), release.toByte(), release.keep(), Long.MAX_VALUE));
            } else {
                toOwner.add(message);
            }
        }

        @Override
        public void invalidate(RangeRecall recall) {
            jobs.add(new Job(recall, false, false));
        }

        @Override
        public void flush(RangeRecall recall) {
            jobs.add(new Job(recall, true, false));
        }

        @Override
        public void wake(HeldTokens.Waiter waiter) {
            woken.add((Operation) waiter);
        }

        /** As in the kernel, an invalidation waits for pages that requests have locked; it reports back a little later. */
        void doJob(int index) {
            Job job = jobs.get(index);
            RangeRecall recall = job.recall();
            if (job.flush()) {
                jobs.remove(index);
                clear(unsaved, recall);
                held.flushed(recall);
            } else if (job.dropped()) {
                jobs.remove(index);
                held.invalidated(recall);
            } else if (inside.stream()
                    .noneMatch(user -> !user.direct && Ranges.overlap(user.from, user.to, recall.from, recall.to))) {
                jobs.set(index, new Job(recall, false, true));
                if (flaw != Flaw.KEEPS_PAGES_CACHED) {
                    clear(cached, recall);
                }
            }
        }

        private static void clear(boolean[] pages, RangeRecall recall) {
            for (int page = 0; page < PAGES; page++) {
                if (Ranges.overlap(page * PAGE, (page + 1) * PAGE, recall.from, recall.to)) {
                    pages[page] = false;
                }
            }
        }
    }

    private static final class World {
        final Random random;
        final List<Node> nodes = new ArrayList<>();
        final TokenTable table = new TokenTable(this::deliver);
        int started;
        int finished;
        int recalls;
        int recalled;

        World(long seed, Flaw flaw) {
            random = new Random(seed);
            for (int i = 0; i < NODES; i++) {
                nodes.add(new Node(flaw));
            }
        }

        void deliver(SessionId to, TokenMessage.ToNode message) {
            nodes.get((int) to.value() - 1).toNode.add(message);
        }

        void run() {
            for (int step = 0; finished < OPERATIONS || recalled < recalls; step++) {
                if (step == MAX_STEPS) {
                    throw new AssertionError(finished + " of " + started + " requests were served and " + recalled
                            + " of " + recalls + " recalls done, then nothing more");
                }
                int index = random.nextInt(NODES);
                step(nodes.get(index), new SessionId(index + 1));
            }
        }

        private void step(Node node, SessionId session) {
            switch (random.nextInt(7)) {
                case 0 -> startOperation(node);
                case 1 -> {
                    if (!node.toOwner.isEmpty()) {
                        table.receive(session, node.toOwner.remove());
                    }
                }
                case 2 -> {
                    if (!node.toNode.isEmpty()) {
                        switch (node.toNode.remove()) {
                            case TokenMessage.Grant grant -> node.held.granted(grant);
                            case TokenMessage.Recall recall -> node.held.recalled(recall);
                            case TokenMessage.Yield offered -> node.held.askedToYield(offered);
                        }
                    }
                }
                case 3 -> {
                    if (!node.jobs.isEmpty()) {
                        node.doJob(random.nextInt(node.jobs.size()));
                    }
                }
                case 4 -> {
                    if (!node.inside.isEmpty()) {
                        finish(node, node.inside.remove(random.nextInt(node.inside.size())));
                    }
                }
                case 5 -> {
                    if (node.drains > 0) {
                        node.drains--;
                        node.held.drained();
                    }
                }
                default -> {
                    switch (random.nextInt(20)) {
                        case 0 -> node.held.evict();
                        case 1 -> recallForNobody();
                        default -> {}
                    }
                }
            }
            for (Operation operation : List.copyOf(node.woken)) {
                enter(node, operation);
            }
            node.woken.clear();
        }

        private void recallForNobody() {
            if (recalls < MAX_RECALLS) {
                recalls++;
                table.recall(FILE.inode(), () -> recalled++);
            }
        }

        private void startOperation(Node node) {
            if (started == OPERATIONS) {
                return;
            }
            started++;
            int from = random.nextInt(PAGES);
            int to = from + 1 + random.nextInt(PAGES - from);
            Mode mode = random.nextBoolean() ? Mode.SHARED : Mode.EXCLUSIVE;
            Operation request = new Operation(from * PAGE, to * PAGE, mode, random.nextBoolean());
            request.ticket = node.gate.tryEnter(request.from, request.to, mode);
            if (request.ticket == FileTokens.REFUSED) {
                node.held.want(request);
            } else {
                enter(node, request);
            }
        }

        private void enter(Node node, Operation request) {
            for (Node other : nodes) {
                if (other == node) {
                    continue;
                }
                for (Operation user : other.inside) {
                    boolean conflict = user.mode == Mode.EXCLUSIVE || request.mode == Mode.EXCLUSIVE;
                    if (conflict && Ranges.overlap(user.from, user.to, request.from, request.to)) {
                        throw new AssertionError("two nodes inside in conflicting modes");
                    }
                }
                for (int page = (int) (request.from / PAGE); page < request.to / PAGE; page++) {
                    if (other.unsaved[page]) {
                        throw new AssertionError("another node has page " + page + " unsaved");
                    }
                    if (other.cached[page] && request.mode == Mode.EXCLUSIVE) {
                        throw new AssertionError("another node has page " + page + " cached");
                    }
                }
            }
            node.inside.add(request);
        }

        /** The answer is sent, which fills the page cache; then the ticket is given back. */
        private void finish(Node node, Operation request) {
            for (int page = (int) (request.from / PAGE); page < request.to / PAGE; page++) {
                node.cached[page] |= !request.direct;
                node.unsaved[page] |= request.mode == Mode.EXCLUSIVE;
            }
            node.gate.exit(request.ticket);
            finished++;
        }
    }

    private static void runAll(Flaw flaw) {
        for (long seed = 0; seed < SEEDS; seed++) {
            try {
                new World(seed, flaw).run();
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
            }
        }
    }

    @Test
    void shouldNeverLetTwoNodesConflictAndServeEveryRequest() {
        runAll(Flaw.NONE);
    }

    @Test
    void shouldNoticeANodeThatReleasesWhileTheTokenIsInUse() {
        assertThatThrownBy(() -> runAll(Flaw.RELEASES_WHILE_IN_USE)).isInstanceOf(AssertionError.class);
    }

    @Test
    void shouldNoticeANodeThatKeepsPagesCached() {
        assertThatThrownBy(() -> runAll(Flaw.KEEPS_PAGES_CACHED)).isInstanceOf(AssertionError.class);
    }

    @Test
    void shouldNoticeAReleaseThatIsAppliedToALaterGrant() {
        assertThatThrownBy(() -> runAll(Flaw.FORGETS_WHAT_CROSSED)).isInstanceOf(AssertionError.class);
    }
}
