package io.tesserafs.fabric.verbs;

import java.io.IOException;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * Requests of one operation that are under way together, a row at a time. Only the last of a row reports its success, and is waited for: a
 * reliable connection completes requests in the order in which they were posted, and a completion confirms all before it that report nothing
 * (IBTA, volume 1, 10.8, of unsignaled completions). Nothing else is relied on: what may overtake what on its way (a WRITE a READ before it)
 * does not matter, as a row is of one kind, and no row begins before the last is through.
 */
final class Rows {
    /** Requests. */
    static final int ROW = 16;

    /** What all rows of a queue pair take together must be through before the first of them counts as overdue, on slow networks too. */
    static final long ROW_BYTES = 4 << 20;

    private Rows() {}

    /** Posts a request. */
    interface Post<T> {
        /** @param signalled whether its success is to be reported */
        void run(Slot slot, T request, boolean signalled) throws IOException;
    }

    /** Returns when the slot's signalled request has completed, and throws if it, or one before it, has failed. */
    interface Completion {
        void await(Slot slot) throws IOException;
    }

    /** @param bytes of what travels for a request; a row has more than {@link #ROW_BYTES} only if it has but one */
    static <T> void run(Slot slot, List<T> all, ToLongFunction<T> bytes, Post<T> post, Completion completion)
            throws IOException {
        int inRow = 0;
        long rowBytes = 0;
        for (int i = 0; i < all.size(); i++) {
            inRow++;
            rowBytes += bytes.applyAsLong(all.get(i));
            boolean last =
                    inRow == ROW || i == all.size() - 1 || rowBytes + bytes.applyAsLong(all.get(i + 1)) > ROW_BYTES;
            slot.moreDue(inRow > 1); // should it fail: what the device hands back first may not be the last
            post.run(slot, all.get(i), last);
            if (last) {
                completion.await(slot);
                slot.moreDue(false);
                inRow = 0;
                rowBytes = 0;
            }
        }
    }
}
