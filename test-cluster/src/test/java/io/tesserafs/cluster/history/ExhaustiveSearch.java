package io.tesserafs.cluster.history;

import java.util.ArrayList;
import java.util.List;

/** The definition of linearizability, tried out: every order of every choice of unanswered writes. For tiny histories. */
final class ExhaustiveSearch {
    private ExhaustiveSearch() {}

    static boolean explains(List<Operation> history) {
        return extend(new ArrayList<>(history), Operation.INITIAL);
    }

    private static boolean extend(List<Operation> left, long value) {
        if (left.stream().noneMatch(Operation::isKnown)) {
            return true;
        }
        for (Operation next : List.copyOf(left)) {
            boolean mayBeNext = left.stream().noneMatch(other -> other.endNs() < next.beginNs());
            if (mayBeNext && (next.isWrite() || next.value() == value)) {
                List<Operation> rest = new ArrayList<>(left);
                rest.remove(next);
                if (extend(rest, next.value())) {
                    return true;
                }
            }
        }
        return false;
    }
}
