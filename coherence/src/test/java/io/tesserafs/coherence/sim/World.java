package io.tesserafs.coherence.sim;

import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.sim.Operation.Entry;
import io.tesserafs.coherence.sim.PageCache.Page;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Everything there is in one run: virtual time, the processes, the network between them, and what must always hold.
 *
 * <p>Judged is what nodes do whose lease is valid by their own clock: they do not conflict in what they are inside of, cache or have unsaved; and a read
 * returns nothing older than what any read or write had returned before it began. After the faults have ended, every request is answered within a bounded
 * time, and every node can use every page again.
 */
final class World {
    static final int NODES = 3;
    static final int FILES = 2;
    static final int PAGES = 3;

    /** Short, so that a run sees many leases end. */
    static final SessionTerms TERMS = new SessionTerms(300, 40);

    /** Clocks run this much too fast or too slow at most: less than what the margins cover. */
    static final double MAX_CLOCK_ERROR = 0.1;

    private static final long FAULTS_US = 1_500_000;
    /** For so long at most, applications go on after that. */
    private static final int CALM_US = 400_000;

    /** Everything that began is answered by then. */
    private static final long ANSWERED_US = 4_500_000;

    private static final long PROBE_US = 500_000;
    /** Prints what happens. */
    private static final boolean TRACE = Boolean.getBoolean("tessera.sim.trace");

    private static final int MAX_EVENTS = 2_000_000;

    private record Event(long atUs, long order, Machine process, int life, Runnable step) {}

    private record Cut(Machine from, Machine to, long untilUs) {}

    /** The run broke a rule. */
    static final class Violation extends AssertionError {
        private static final long serialVersionUID = 1;

        Violation(String what) {
            super(what);
        }

        Violation(String what, Throwable cause) {
            super(what, cause);
        }
    }

    final Random random;
    final Flaw flaw;
    final Coordinator coordinator;
    final Brick brick;
    final List<Node> nodes = new ArrayList<>();
    /** The newest content of each page that a call has returned, or written. */
    final long[][] completed = new long[FILES][PAGES];

    private final PriorityQueue<Event> events =
            new PriorityQueue<>(Comparator.comparingLong(Event::atUs).thenComparingLong(Event::order));
    private final List<Cut> cuts = new ArrayList<>();
    private final long quietUs;
    private long nowUs;
    private long lastOrder;
    private long lastSession;
    private long answeredWell;
    private long answeredWithErrors;

    World(long seed, Flaw flaw) {
        this.random = new Random(seed);
        this.flaw = flaw;
        this.quietUs = FAULTS_US + random.nextInt(CALM_US);
        this.coordinator = new Coordinator(this);
        this.brick = new Brick(this);
        for (int i = 1; i <= NODES; i++) {
            nodes.add(new Node(this, i));
        }
    }

    /** For whoever replays one seed. */
    void trace(Machine who, String what) {
        if (TRACE) {
            System.out.printf("%9d %-11s %s%n", nowUs, who, what);
        }
    }

    long nowUs() {
        return nowUs;
    }

    boolean isQuiet() {
        return nowUs >= quietUs;
    }

    SessionId newSession() {
        return new SessionId(++lastSession);
    }

    long answeredWell() {
        return answeredWell;
    }

    long answeredWithErrors() {
        return answeredWithErrors;
    }

    /** Throws a {@link Violation} if a rule is broken. */
    void run() {
        coordinator.start();
        nodes.forEach(Node::start);
        new Faults(this, FAULTS_US).start();
        runUntil(ANSWERED_US);
        for (Node node : nodes) {
            for (Operation operation : node.files.operations) {
                throw violation(node + " never answers a " + operation);
            }
        }
        nodes.forEach(this::probe);
    }

    /** One node after another, so that nobody's request helps another's. */
    private void probe(Node node) {
        List<Operation> probes = new ArrayList<>();
        for (int file = 0; file < FILES; file++) {
            for (int page = 0; page < PAGES; page++) {
                probes.add(node.files.begin(Operation.Kind.WRITE, file, page, page + 1));
                probes.add(node.files.begin(Operation.Kind.DIRECT_READ, file, page, page + 1));
            }
        }
        runUntil(nowUs + PROBE_US);
        for (Operation probe : probes) {
            if (!probe.ok) {
                throw violation("long after the last fault, at " + node + " a " + probe
                        + (probe.done ? " fails" : " is not answered"));
            }
        }
    }

    private void runUntil(long endUs) {
        for (int count = 0; !events.isEmpty() && events.element().atUs <= endUs; count++) {
            if (count == MAX_EVENTS) {
                throw violation("it goes on and on");
            }
            Event event = events.remove();
            nowUs = event.atUs;
            Machine process = event.process;
            if (process.crashed || process.life != event.life) {
                continue;
            }
            if (process.hangsUntilUs > nowUs) {
                events.add(new Event(process.hangsUntilUs, ++lastOrder, process, event.life, event.step));
                continue;
            }
            event.step.run();
        }
        nowUs = endUs;
    }

    void schedule(long atUs, Machine process, Runnable step) {
        events.add(new Event(Math.max(atUs, nowUs), ++lastOrder, process, process.life, step));
    }

    // The network.

    long delayUs() {
        return 20L + (random.nextInt(30) == 0 ? random.nextInt(15_000) : random.nextInt(200));
    }

    /** A datagram that arrives once, some time: as what a fabric carries that does not break connections. */
    void message(Machine from, Machine to, Runnable arrival) {
        schedule(nowUs + delayUs(), to, () -> arrive(from, to, arrival));
    }

    private void arrive(Machine from, Machine to, Runnable arrival) {
        if (isCut(from, to)) {
            schedule(nowUs + 5_000, to, () -> arrive(from, to, arrival));
        } else {
            arrival.run();
        }
    }

    void cut(Machine from, Machine to, long forUs) {
        cuts.add(new Cut(from, to, nowUs + forUs));
    }

    boolean isCut(Machine from, Machine to) {
        if (cuts.isEmpty()) {
            return false;
        }
        cuts.removeIf(cut -> cut.untilUs <= nowUs);
        for (Cut cut : cuts) {
            if (cut.from.equals(from) && cut.to.equals(to)) {
                return true;
            }
        }
        return false;
    }

    void elected(Owner owner) {
        owner.start();
    }

    // What must hold.

    Violation violation(String what) {
        return new Violation("at " + nowUs + " us: " + what);
    }

    void answered(boolean ok) {
        if (ok) {
            answeredWell++;
        } else {
            answeredWithErrors++;
        }
    }

    /** At most one has a page EXCLUSIVE, and then nobody else has it. */
    void checkBeliefs(int file) {
        for (int page = 0; page < PAGES; page++) {
            Node exclusive = null;
            Node shared = null;
            for (Node node : nodes) {
                if (!node.believes() || !node.files.serves(file, page, Mode.SHARED)) {
                    continue;
                }
                boolean wantsAll = node.files.serves(file, page, Mode.EXCLUSIVE);
                if (exclusive != null || wantsAll && shared != null) {
                    throw violation(node + " and " + (exclusive != null ? exclusive : shared) + " both have page "
                            + page + " of file " + file);
                }
                exclusive = wantsAll ? node : null;
                shared = node;
            }
        }
    }

    /** A request is served under its token: nobody else is in its way. */
    void checkServed(Node node, int file, int from, int to, Mode mode) {
        if (!node.believes()) {
            return;
        }
        for (Node other : nodes) {
            if (other == node || !other.believes()) {
                continue;
            }
            for (int i = from; i < to; i++) {
                Page page = other.files.page(file, i);
                if (page.dirty) {
                    throw violation(
                            node + " is served, but " + other + " has page " + i + " of file " + file + " unsaved");
                }
                if (page.cached && mode == Mode.EXCLUSIVE) {
                    throw violation(
                            node + " may write, but " + other + " has page " + i + " of file " + file + " cached");
                }
            }
            for (Operation operation : other.files.operations) {
                checkInside(node, other, operation.entry, operation, file, from, to, mode);
                checkInside(node, other, operation.rest, operation, file, from, to, mode);
            }
        }
    }

    /** A write changes the brick: nobody else counts on what was there. */
    void checkLanded(Node from, int file, int page) {
        for (Node other : nodes) {
            boolean counts = other.files.serves(file, page, Mode.SHARED) || other.files.page(file, page).cached;
            if (other != from && other.believes() && counts) {
                throw violation("a write of " + from + " to page " + page + " of file " + file + " lands, but " + other
                        + " has it");
            }
        }
    }

    private void checkInside(
            Node node, Node other, @Nullable Entry entry, Operation operation, int file, int from, int to, Mode mode) {
        if (entry != null
                && entry.isInside()
                && operation.file == file
                && entry.fromPage < to
                && from < entry.toPage
                && (mode == Mode.EXCLUSIVE || entry.mode == Mode.EXCLUSIVE)) {
            throw violation(node + " is served in mode " + mode + " while " + other + " serves a " + operation);
        }
    }

    void saw(Node node, Operation operation, int page, long value, String where) {
        long floor = operation.atLeast[page];
        if (value < floor) {
            throw violation(node + " in a " + operation + " sees version " + value + " of page " + page + " " + where
                    + ", but version " + floor + " was there before");
        }
        completed[operation.file][page] = Math.max(completed[operation.file][page], value);
    }

    void wrote(int file, int page, long value) {
        completed[file][page] = Math.max(completed[file][page], value);
    }
}
