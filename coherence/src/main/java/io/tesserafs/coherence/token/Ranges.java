package io.tesserafs.coherence.token;

/** Arithmetic of token ranges. */
final class Ranges {
    /** Tokens are never finer than a page: the kernel caches pages. */
    static final long PAGE_BYTES = 4096;

    /** Data is placed in extents of this size; the first step of widening. */
    static final long EXTENT_BYTES = 2L << 20;

    private Ranges() {}

    static long alignDown(long at, long unit) {
        return at & -unit;
    }

    /** The end of the last unit; ends beyond any file stay {@link FileTokens#TO_END}. */
    static long alignUp(long at, long unit) {
        return at > Long.MAX_VALUE - unit ? FileTokens.TO_END : (at + unit - 1) & -unit;
    }

    static boolean overlap(long from, long to, long otherFrom, long otherTo) {
        return from < otherTo && otherFrom < to;
    }

    static void check(long from, long to) {
        if (from < 0 || from >= to) {
            throw new IllegalArgumentException("not a range: [" + from + ", " + to + ")");
        }
    }
}
