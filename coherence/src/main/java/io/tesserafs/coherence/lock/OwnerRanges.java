package io.tesserafs.coherence.lock;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The ranges that one owner has locked in one file. Invariants: they do not overlap, and neighbours that touch differ in mode.
 */
final class OwnerRanges {
    private final TreeMap<Long, LockedRange> byFirstByte = new TreeMap<>();

    /** What replaces what, when a range is set or unlocked. */
    record Change(List<LockedRange> before, List<LockedRange> after) {
        int growth() {
            return after.size() - before.size();
        }

        /** True if some byte is locked less strongly afterwards: somebody may have waited for that. */
        boolean weakens(long first, long last, @Nullable LockMode mode) {
            return mode != LockMode.WRITE
                    && before.stream()
                            .anyMatch(r -> r.overlaps(first, last) && (mode == null || r.mode() == LockMode.WRITE));
        }
    }

    boolean isEmpty() {
        return byFirstByte.isEmpty();
    }

    int count() {
        return byFirstByte.size();
    }

    Collection<LockedRange> all() {
        return byFirstByte.values();
    }

    /** The first range that somebody who asks for this would have to wait for. */
    @Nullable
    LockedRange conflict(long first, long last, LockMode mode) {
        Map.Entry<Long, LockedRange> before = byFirstByte.floorEntry(first);
        if (before != null
                && before.getValue().lastByte() >= first
                && before.getValue().mode().conflictsWith(mode)) {
            return before.getValue();
        }
        for (LockedRange range : byFirstByte.subMap(first, false, last, true).values()) {
            if (range.mode().conflictsWith(mode)) {
                return range;
            }
        }
        return null;
    }

    /** What it takes to lock the range in {@code mode}, or with null to unlock it. Changes nothing. */
    Change plan(long first, long last, @Nullable LockMode mode, int pid) {
        long touchFirst = first == 0 ? 0 : first - 1;
        long touchLast = last == Long.MAX_VALUE ? last : last + 1;
        Long from = byFirstByte.floorKey(touchFirst);
        List<LockedRange> before = new ArrayList<>();
        List<LockedRange> after = new ArrayList<>();
        long mergedFirst = first;
        long mergedLast = last;
        for (LockedRange range : byFirstByte
                .subMap(from == null ? touchFirst : from, true, touchLast, true)
                .values()) {
            if (range.lastByte() < touchFirst) {
                continue;
            }
            if (range.mode() == mode) {
                before.add(range);
                mergedFirst = Math.min(mergedFirst, range.firstByte());
                mergedLast = Math.max(mergedLast, range.lastByte());
            } else if (range.overlaps(first, last)) {
                before.add(range);
                if (range.firstByte() < first) {
                    after.add(new LockedRange(range.firstByte(), first - 1, range.mode(), range.pid()));
                }
                if (range.lastByte() > last) {
                    after.add(new LockedRange(last + 1, range.lastByte(), range.mode(), range.pid()));
                }
            }
        }
        if (mode != null) {
            after.add(new LockedRange(mergedFirst, mergedLast, mode, pid));
        }
        return new Change(before, after);
    }

    void apply(Change change) {
        for (LockedRange range : change.before()) {
            byFirstByte.remove(range.firstByte());
        }
        for (LockedRange range : change.after()) {
            byFirstByte.put(range.firstByte(), range);
        }
    }
}
