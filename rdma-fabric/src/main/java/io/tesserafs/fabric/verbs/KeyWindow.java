package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.tcp.TcpBricks;
import java.util.BitSet;

/**
 * For how many of a row of handles the target is asked at once. Who uses them in their order, as one that reads a file from front to back does, has keys for
 * those that come next fetched along with the one that is needed: twice as many each time, up to a limit. Who does not, gets one at a time,
 * so that the target pins nothing that nobody reads. Pure but for waiting; thread-safe.
 */
final class KeyWindow {
    /** Of the first call for more than one. */
    private static final int FIRST = 4;

    /** 64 MiB pinned ahead of a reader at most. */
    static final int MAX = TcpBricks.MAX_KEYS;

    private final int count;

    /** Whose keys somebody is asking for. Guarded by this, as is the rest. */
    private final BitSet asked = new BitSet();

    /** Behind those that were asked for last. */
    private int next;

    private int window = FIRST / 2;

    /** @param prepared so many of the first have keys */
    KeyWindow(int count, int prepared) {
        this.count = count;
        this.next = prepared;
    }

    /**
     * Returns the end of what the caller, who needs the key of the handle at {@code at}, has to ask for, followed by {@link #done}. If somebody
     * else is asking for it already, waits until that is through, and returns {@code at}.
     */
    synchronized int claim(int at) {
        if (asked.get(at)) {
            awaitAnswer(at);
            return at;
        }
        window = at == next ? Math.clamp(2L * window, FIRST, MAX) : 1;
        int end = Math.min(at + window, count);
        int others = asked.nextSetBit(at);
        if (others >= 0) {
            end = Math.min(end, others);
        }
        asked.set(at, end);
        next = end;
        return end;
    }

    synchronized void done(int at, int end) {
        asked.clear(at, end);
        notifyAll();
    }

    private synchronized void awaitAnswer(int at) {
        boolean interrupted = false;
        while (asked.get(at)) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true; // calls end by themselves
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
