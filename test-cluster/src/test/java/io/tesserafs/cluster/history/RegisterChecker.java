package io.tesserafs.cluster.history;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Decides whether the recorded operations on registers are linearizable: whether there is one order of them that no clock contradicts and
 * in which every read returns the write before it.
 *
 * <p>A search for that order, after Wing and Gong (Testing and Verifying Concurrent Objects, 1993), which remembers the situations it has
 * been in, after Lowe (Testing for Linearizability, 2017). Registers are judged one by one, because linearizability is a local property. Two facts
 * make it fast here. Written values are unique, so a write of unknown outcome can be left out if nobody read it, and otherwise
 * took effect before the first read of it ended. And a read that fits the present value can be put in place at once, because it changes nothing
 * for the others.
 */
public final class RegisterChecker {
    /** What an error means for a write. */
    public enum Loss {
        /** Whatever was seen once stays, unless it is overwritten. */
        NONE,

        /**
         * A write that was never confirmed may take effect, be seen, and be undone: its node had it in memory only, and died. Right for
         * histories in which a write is confirmed by a sync.
         */
        UNCONFIRMED
    }

    /** Situations of one register after which the search gives up; a history of a few processes needs a few per operation. */
    private static final int MAX_SITUATIONS = 4_000_000;

    /** Operations shown of a history that makes no sense. */
    private static final int SHOWN = 12;

    private final List<Operation> operations;
    private final Set<Long> unconfirmed;
    private final Set<Situation> seen = new HashSet<>();
    private final Deque<Situation> open = new ArrayDeque<>();

    /**
     * What a register holds.
     *
     * @param before what it holds if the write of {@code value} is undone; null if it can't be
     */
    private record Contents(long value, @Nullable Contents before) {}

    /**
     * A part of the order that was found.
     *
     * @param first all operations before this one are in it, this one is not
     * @param ahead those behind {@code first} that are in it, relative to {@code first}
     */
    private record Situation(int first, BitSet ahead, Contents contents) {
        int done() {
            return first + ahead.cardinality();
        }

        Situation with(int operation, Contents after) {
            BitSet set = (BitSet) ahead.clone();
            set.set(operation - first);
            int shift = set.nextClearBit(0);
            return new Situation(first + shift, set.get(shift, Math.max(shift, set.length())), after);
        }

        boolean has(int operation) {
            return ahead.get(operation - first);
        }
    }

    private RegisterChecker(List<Operation> operations, Set<Long> unconfirmed) {
        this.operations = operations;
        this.unconfirmed = unconfirmed;
    }

    /** The first violation found, in words, or nothing. */
    public static Optional<String> check(List<Operation> history, Loss loss) {
        Map<Long, List<Operation>> registers =
                history.stream().collect(Collectors.groupingBy(Operation::register, TreeMap::new, Collectors.toList()));
        return registers.values().stream()
                .map(operations -> checkOne(operations, loss))
                .flatMap(Optional::stream)
                .findFirst();
    }

    private static Optional<String> checkOne(List<Operation> history, Loss loss) {
        Map<Long, Operation> writes = new HashMap<>();
        for (Operation operation : history) {
            if (operation.isWrite()) {
                Operation other = writes.put(operation.value(), operation);
                if (other != null) {
                    throw new IllegalArgumentException("two writes of one value: " + other + ", " + operation);
                }
            }
        }
        Map<Long, Long> firstSeen = new HashMap<>();
        for (Operation operation : history) {
            if (!operation.isWrite() && operation.isKnown()) {
                if (operation.value() != Operation.INITIAL && !writes.containsKey(operation.value())) {
                    return Optional.of(operation + ", which nobody wrote");
                }
                firstSeen.merge(operation.value(), operation.endNs(), Math::min);
            }
        }
        List<Operation> settled = new ArrayList<>();
        Set<Long> unconfirmed = new HashSet<>();
        for (Operation operation : history) {
            if (operation.isKnown()) {
                settled.add(operation);
            } else if (operation.isWrite() && firstSeen.containsKey(operation.value())) {
                long end = firstSeen.get(operation.value());
                if (end < operation.beginNs()) {
                    return Optional.of(operation + ", but it had been read by " + end);
                }
                settled.add(operation.endingAt(end));
                if (loss == Loss.UNCONFIRMED) {
                    unconfirmed.add(operation.value());
                }
            }
        }
        settled.sort(Comparator.comparingLong(Operation::beginNs));
        return new RegisterChecker(settled, unconfirmed).search();
    }

    private Optional<String> search() {
        Situation furthest = new Situation(0, new BitSet(), new Contents(Operation.INITIAL, null));
        visit(furthest);
        while (!open.isEmpty()) {
            Situation situation = open.pop();
            if (situation.first() == operations.size()) {
                return Optional.empty();
            }
            if (situation.done() > furthest.done()) {
                furthest = situation;
            }
            expand(situation);
        }
        return Optional.of(describe(furthest));
    }

    private void visit(Situation situation) {
        if (seen.add(situation)) {
            open.push(situation);
            if (seen.size() > MAX_SITUATIONS) {
                throw new IllegalStateException("more than " + MAX_SITUATIONS + " situations; record fewer operations");
            }
        }
    }

    private void expand(Situation situation) {
        List<Integer> next = next(situation);
        for (int i : next) {
            Operation operation = operations.get(i);
            if (!operation.isWrite()
                    && operation.value() == situation.contents().value()) {
                visit(situation.with(i, situation.contents()));
                return;
            }
        }
        Contents before = situation.contents().before();
        if (before != null) {
            visit(new Situation(situation.first(), situation.ahead(), before));
        }
        // The one that ended first is looked at first, so it is pushed last.
        next.sort(Comparator.comparingLong((Integer i) -> operations.get(i).endNs())
                .reversed());
        for (int i : next) {
            Operation operation = operations.get(i);
            if (operation.isWrite()) {
                Contents undone = unconfirmed.contains(operation.value()) ? situation.contents() : null;
                visit(situation.with(i, new Contents(operation.value(), undone)));
            }
        }
    }

    /** The operations that could come next: those that began before any other that is left had ended. */
    private List<Integer> next(Situation situation) {
        List<Integer> next = new ArrayList<>();
        long earliestEnd = Long.MAX_VALUE;
        for (int i = situation.first(); i < operations.size(); i++) {
            if (situation.has(i)) {
                continue;
            }
            Operation operation = operations.get(i);
            if (operation.beginNs() > earliestEnd) {
                break;
            }
            next.add(i);
            earliestEnd = Math.min(earliestEnd, operation.endNs());
        }
        return next;
    }

    private String describe(Situation furthest) {
        StringBuilder text = new StringBuilder("no order explains register ")
                .append(operations.getFirst().register())
                .append("; after ")
                .append(furthest.done())
                .append(" of ")
                .append(operations.size())
                .append(" operations it holds ")
                .append(Long.toHexString(furthest.contents().value()))
                .append(", and next come");
        next(furthest).stream().limit(SHOWN).forEach(i -> text.append("\n  ").append(operations.get(i)));
        text.append("\nbefore them");
        for (int i = Math.max(0, furthest.first() - SHOWN); i < furthest.first(); i++) {
            text.append("\n  ").append(operations.get(i));
        }
        return text.toString();
    }
}
