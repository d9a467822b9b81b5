package io.tesserafs.fabric.verbs;

import java.io.IOException;

/**
 * Which side may send how many messages, so that each finds a receive posted. Both start with as many as there are receives; a receive that
 * was used and posted again is told of with the next message the other way, or with one of its own that carries nothing else.
 *
 * <p>The last credit is kept for such a message. So if both sides have much to send, neither runs out of it for good: who has no credit left has told
 * of all it knew of with the last, and the peer, having got that, can tell of what it received. Whoever owes half of the receives does so.
 *
 * <p>Pure; one thread at a time.
 */
final class WireCredits {
    private final int receives;
    /** Of the peer's receives, known to be free. */
    private int free;

    /** Of ours: used by the peer, not posted again yet. */
    private int held;

    /** Of ours: posted again, and the peer does not know. */
    private int owed;

    WireCredits(int receives) {
        this.receives = receives;
        this.free = receives;
    }

    /** Whether a message with bytes may be sent. */
    boolean maySend() {
        return free > 1;
    }

    /** Whether a message is due though there are no bytes to be sent, and may be. */
    boolean isReturnDue() {
        return owed >= receives / 2 && free > 0;
    }

    /** A message is sent, with or without bytes. Returns the credits that it carries. */
    int send() {
        if (free == 0) {
            throw new IllegalStateException("nothing may be sent");
        }
        free--;
        int carried = owed;
        owed = 0;
        return carried;
    }

    /** A message has come. */
    void received(int credits) throws IOException {
        if (held + owed == receives) {
            throw new IOException("the peer breaks the protocol: it sends more than it was allowed to");
        }
        if (credits > receives - free) {
            throw new IOException("the peer breaks the protocol: it allows more than it can take");
        }
        held++;
        free += credits;
    }

    /** A receive was posted again. */
    void posted() {
        held--;
        owed++;
    }
}
