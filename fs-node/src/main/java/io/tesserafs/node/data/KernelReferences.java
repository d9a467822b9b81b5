package io.tesserafs.node.data;

import org.agrona.collections.Long2LongHashMap;

/**
 * How many references to each inode the kernel holds: one more with each entry we answer, fewer with FORGET. Striped by inode number;
 * about 30 bytes an inode. Thread-safe.
 */
final class KernelReferences {
    private static final int STRIPES = 16;
    private static final long NONE = 0;

    private final Long2LongHashMap[] stripes = new Long2LongHashMap[STRIPES];

    KernelReferences() {
        for (int i = 0; i < STRIPES; i++) {
            stripes[i] = new Long2LongHashMap(NONE);
        }
    }

    void add(long ino) {
        Long2LongHashMap stripe = stripe(ino);
        synchronized (stripe) {
            stripe.put(ino, stripe.get(ino) + 1);
        }
    }

    /** Returns whether that was the last. */
    boolean remove(long ino, long count) {
        Long2LongHashMap stripe = stripe(ino);
        synchronized (stripe) {
            long left = stripe.get(ino) - count;
            if (left > 0) {
                stripe.put(ino, left);
                return false;
            }
            stripe.remove(ino);
            return true;
        }
    }

    boolean has(long ino) {
        Long2LongHashMap stripe = stripe(ino);
        synchronized (stripe) {
            return stripe.get(ino) != NONE;
        }
    }

    long inodes() {
        long count = 0;
        for (Long2LongHashMap stripe : stripes) {
            synchronized (stripe) {
                count += stripe.size();
            }
        }
        return count;
    }

    private Long2LongHashMap stripe(long ino) {
        return stripes[(int) (ino & STRIPES - 1)];
    }
}
