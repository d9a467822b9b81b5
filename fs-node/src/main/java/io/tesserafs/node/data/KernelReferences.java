package io.tesserafs.node.data;

import java.util.function.LongConsumer;
import org.agrona.collections.Long2LongHashMap;

/**
 * How many references to each inode the kernel holds: one more with each entry we answer, fewer with FORGET. Striped by inode number;
 * about 30 bytes an inode. Thread-safe.
 */
final class KernelReferences {
    private static final int STRIPES = 16;
    private static final long NONE = 0;
    /** Beside the count: a request that names an inode does not say what it is. */
    private static final long DIRECTORY = 1L << 62;

    private final Long2LongHashMap[] stripes = new Long2LongHashMap[STRIPES];

    KernelReferences() {
        for (int i = 0; i < STRIPES; i++) {
            stripes[i] = new Long2LongHashMap(NONE);
        }
    }

    void add(long ino, boolean directory) {
        Long2LongHashMap stripe = stripe(ino);
        synchronized (stripe) {
            stripe.put(ino, stripe.get(ino) + 1 | (directory ? DIRECTORY : 0));
        }
    }

    /** Returns whether that was the last. */
    boolean remove(long ino, long count) {
        Long2LongHashMap stripe = stripe(ino);
        synchronized (stripe) {
            long known = stripe.get(ino);
            long left = (known & ~DIRECTORY) - count;
            if (left > 0) {
                stripe.put(ino, left | known & DIRECTORY);
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

    /** False also for one the kernel has no reference to. */
    boolean isDirectory(long ino) {
        Long2LongHashMap stripe = stripe(ino);
        synchronized (stripe) {
            return (stripe.get(ino) & DIRECTORY) != 0;
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

    /** All that are known at some moment during the call; nothing is locked while {@code action} runs. */
    void forEach(LongConsumer action) {
        for (Long2LongHashMap stripe : stripes) {
            long[] known;
            synchronized (stripe) {
                known = stripe.keySet().stream().mapToLong(Long::longValue).toArray();
            }
            for (long ino : known) {
                action.accept(ino);
            }
        }
    }

    private Long2LongHashMap stripe(long ino) {
        return stripes[(int) (ino & STRIPES - 1)];
    }
}
