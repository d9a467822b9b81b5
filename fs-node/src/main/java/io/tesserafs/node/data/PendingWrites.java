package io.tesserafs.node.data;

import java.util.ArrayList;
import java.util.List;

/**
 * WRITEs of one file that READs into the page cache must not overtake. Buffered ones that wait for their token: their bytes are in the page cache already, but
 * a recall may drop those pages, and a READ would fill them anew without. And direct ones: a page that comes in before they are applied would go on
 * showing what was there before, and if it is stored to, write it back over them. Thread-safe.
 */
final class PendingWrites {
    /** One WRITE, as bytes of the file. Two of the same range are two: no value. */
    static final class Pending {
        private final long from;
        private final long to;

        private Pending(long from, long to) {
            this.from = from;
            this.to = to;
        }
    }

    private volatile int count;
    /** Guarded by this. */
    private final List<Pending> waiting = new ArrayList<>(0);

    synchronized Pending add(long from, long to) {
        Pending pending = new Pending(from, to);
        waiting.add(pending);
        count = waiting.size();
        return pending;
    }

    /** Applied, or failed for good. */
    synchronized void done(Pending pending) {
        waiting.remove(pending);
        count = waiting.size();
        notifyAll();
    }

    /** Hot path: whether a READ of pages within [from, to) has to wait. */
    boolean concern(long from, long to) {
        return count != 0 && !overlapping(from, to).isEmpty();
    }

    /** Returns when those that overlap now are done. */
    synchronized void await(long from, long to) throws InterruptedException {
        List<Pending> ahead = overlapping(from, to);
        while (waiting.stream().anyMatch(ahead::contains)) {
            wait();
        }
    }

    private synchronized List<Pending> overlapping(long from, long to) {
        return waiting.stream().filter(p -> p.from < to && from < p.to).toList();
    }
}
