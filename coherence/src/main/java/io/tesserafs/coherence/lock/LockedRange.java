package io.tesserafs.coherence.lock;

/** Bytes that one owner has locked in one mode; {@code lastByte} is inclusive, since a lock may reach to 2^63 - 1. */
record LockedRange(long firstByte, long lastByte, LockMode mode, int pid) {
    static void check(long firstByte, long lastByte) {
        if (firstByte < 0 || firstByte > lastByte) {
            throw new IllegalArgumentException("not a range: " + firstByte + " to " + lastByte);
        }
    }

    static boolean overlap(long first, long last, long otherFirst, long otherLast) {
        return first <= otherLast && otherFirst <= last;
    }

    boolean overlaps(long first, long last) {
        return overlap(firstByte, lastByte, first, last);
    }
}
