package io.tesserafs.coherence.token;

import org.jspecify.annotations.Nullable;

/**
 * What a node holds of one resource at one moment: ranges in order, and the recalls under way that want to know of uses. Immutable
 * except for the marks, which any thread may set.
 */
final class Coverage {
    static final Coverage NONE =
            new Coverage(new long[0], new long[0], new boolean[0], new ServedMark[0], new Activity());

    private final long[] from;
    private final long[] to;
    private final boolean[] exclusive;
    private final ServedMark[] marks;
    private final Activity activity;

    /** Whether the resource is in use, wherever and by whomever on this node. Not noted while it is held as a whole. */
    static final class Activity {
        private volatile boolean used = true;
        private volatile boolean usedExclusively = true;

        void note(Mode mode) {
            if (!used) { // do not bounce the cache line
                used = true;
            }
            if (mode == Mode.EXCLUSIVE && !usedExclusively) {
                usedExclusively = true;
            }
        }

        /** Whether there was any since the last time this was asked, other than what {@code keep} allows. */
        boolean take(@Nullable Mode keep) {
            boolean was = keep == Mode.SHARED ? usedExclusively : used;
            used = false;
            usedExclusively = false;
            return was;
        }
    }

    /** Notes that somebody was served in a range, and in a mode that is to be given up, during one pass of a recall. */
    static final class ServedMark {
        final long from;
        final long to;
        /** The recall leaves SHARED in place, so uses in that mode do not matter to it. */
        final boolean keepsShared;

        private volatile boolean served;

        ServedMark(long from, long to, boolean keepsShared) {
            this.from = from;
            this.to = to;
            this.keepsShared = keepsShared;
        }

        void set() {
            if (!served) { // do not bounce the cache line
                served = true;
            }
        }

        boolean served() {
            return served;
        }
    }

    /** Ranges ascending, not overlapping, not empty. The arrays become this object's own. */
    Coverage(long[] from, long[] to, boolean[] exclusive, ServedMark[] marks, Activity activity) {
        this.from = from;
        this.to = to;
        this.exclusive = exclusive;
        this.marks = marks;
        this.activity = activity;
    }

    boolean isEmpty() {
        return from.length == 0;
    }

    /** The mode of the one range that covers everything, if that is all there is and nothing is being recalled; else 0. */
    int wholeMode() {
        if (from.length != 1 || marks.length != 0 || from[0] != 0 || to[0] != FileTokens.TO_END) {
            return 0;
        }
        return exclusive[0] ? TokenGate.WHOLE_EXCLUSIVE : TokenGate.WHOLE_SHARED;
    }

    /** Whether neighbouring ranges together cover the range. No allocation. */
    boolean covers(long fromByte, long toByte, Mode mode) {
        long at = fromByte;
        for (int i = firstEndingAfter(at); i < from.length && from[i] <= at; i++) {
            if (mode == Mode.EXCLUSIVE && !exclusive[i]) {
                return false;
            }
            at = to[i];
            if (at >= toByte) {
                return true;
            }
        }
        return false;
    }

    void noteServed(long fromByte, long toByte, Mode mode) {
        activity.note(mode);
        for (ServedMark mark : marks) {
            if (Ranges.overlap(mark.from, mark.to, fromByte, toByte) && !(mark.keepsShared && mode == Mode.SHARED)) {
                mark.set();
            }
        }
    }

    private int firstEndingAfter(long at) {
        int low = 0;
        int high = from.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (to[middle] <= at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }
}
