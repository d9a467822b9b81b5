package io.tesserafs.node.data;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A set of tile numbers, as ranges. Not thread-safe. */
final class TileRanges {
    private final TreeMap<Long, Long> ranges = new TreeMap<>();

    boolean isEmpty() {
        return ranges.isEmpty();
    }

    /** Adds [from, to). */
    void add(long from, long to) {
        long start = from;
        long end = to;
        Map.@Nullable Entry<Long, Long> at = ranges.floorEntry(end);
        while (at != null && at.getValue() >= start) {
            start = Math.min(start, at.getKey());
            end = Math.max(end, at.getValue());
            ranges.remove(at.getKey());
            at = ranges.floorEntry(end);
        }
        ranges.put(start, end);
    }

    /** Takes [from, to) out. */
    void remove(long from, long to) {
        Map.@Nullable Entry<Long, Long> at = ranges.lowerEntry(to);
        while (at != null && at.getValue() > from) {
            ranges.remove(at.getKey());
            if (at.getKey() < from) {
                ranges.put(at.getKey(), from);
            }
            if (at.getValue() > to) {
                ranges.put(to, at.getValue());
            }
            at = ranges.lowerEntry(from);
            if (at != null && at.getValue() <= from) {
                return;
            }
        }
    }

    boolean contains(long tile) {
        return intersects(tile, tile + 1);
    }

    boolean intersects(long from, long to) {
        Map.@Nullable Entry<Long, Long> at = ranges.lowerEntry(to);
        return at != null && at.getValue() > from;
    }

    void clear() {
        ranges.clear();
    }
}
