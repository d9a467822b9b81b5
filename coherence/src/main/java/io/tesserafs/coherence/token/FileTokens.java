package io.tesserafs.coherence.token;

/**
 * This node's DATA tokens on one inode. Thread-safe.
 *
 * <p>Use on a request's reader thread:
 *
 * <pre>{@code
 * int ticket = tokens.tryEnter(from, to, mode);
 * if (ticket == FileTokens.REFUSED) {
 *     // on another thread: ticket = tokens.enter(from, to, mode);
 * }
 * try { serve } finally { tokens.exit(ticket); }
 * }</pre>
 *
 * <p>Between enter and exit the token cannot be released (a recall waits for users), so what is read or written in between is
 * covered. Serving must therefore not wait for anything that may itself wait for a token. Holders serve: a recall under way
 * does not refuse entry, it makes another pass.
 */
public interface FileTokens {
    /** End of the widest range: to the end of any file. */
    long TO_END = Long.MAX_VALUE;

    /** Not a ticket: the token is not held. */
    int REFUSED = 0;

    /**
     * Hot path: no allocation, no lock, no wait.
     *
     * @return a ticket for {@link #exit}, or {@link #REFUSED} if the range is not held in a mode that covers {@code mode}
     */
    int tryEnter(long fromByte, long toByte, Mode mode);

    /**
     * Enters as {@link #tryEnter} does, asking the owner and waiting where needed. A grant is used by those who waited for it
     * before any recall can take it away again, so this always gets through. Not from a request's reader thread.
     *
     * @return a ticket for {@link #exit}
     * @throws TokenException the session ended, or the wait was interrupted
     */
    int enter(long fromByte, long toByte, Mode mode) throws TokenException;

    /**
     * As {@link #enter} for a request that waits while the kernel holds pages locked, so that an invalidation of them would wait for this very
     * request. Recalls step around them.
     */
    int enterWithPagesLocked(long fromByte, long toByte, Mode mode, LockedPages pages) throws TokenException;

    /** Something that a request waits for. */
    interface Wait {
        void await() throws InterruptedException;
    }

    /** Waits for something other than a token while the kernel holds pages locked. Recalls step around them. */
    void waitWithPagesLocked(LockedPages pages, Wait wait) throws InterruptedException;

    /**
     * Has the kernel drop the pages of a range, and write back first what is dirty of them, as a recall would: pages that waiting requests hold
     * locked are stepped around, they hold nothing. Holding no ticket for the range.
     */
    void invalidate(long fromByte, long toByte) throws InterruptedException;

    /**
     * Pages of a request, as bytes.
     *
     * @param surely they are locked and hold nothing: a READ into the page cache. Otherwise they are locked and hold nothing, <em>or</em> are not
     *     locked and may hold something old: the last page of a buffered WRITE that fills it in part
     */
    record LockedPages(long fromByte, long toByte, boolean surely) {
        public static final LockedPages NONE = new LockedPages(0, 0, true);

        public boolean isEmpty() {
            return fromByte >= toByte;
        }
    }

    /**
     * As {@link #enter} for a caller that must not wait: {@link #REFUSED} unless the grant is there at once, as it is from an owner on this
     * host when nobody else holds the range.
     */
    int enterNow(long fromByte, long toByte, Mode mode);

    /**
     * For one who is inside: whether what the owner said along with that sequence still holds. It does if this node was given the token by then, and has not
     * given up any of it since; and while the caller stays inside, it does not.
     *
     * @param sequence from {@link LocalOwner#offer} or {@link LocalOwner#asOf}; 0 for none
     */
    boolean isHeldSince(long sequence);

    /** Whether all of the range is held in a mode that covers {@code mode}, be it on its way back or not; of what was released, it is not. */
    boolean isHeld(long fromByte, long toByte, Mode mode);

    /** Whether any of the range is held, or locked by a request that waits for it. */
    boolean mayBeCached(long fromByte, long toByte);

    /** Ends the use that returned {@code ticket}; exactly once, from any thread. */
    void exit(int ticket);

    /** The inode is not in use here any more. Tokens stay cached until recalled or evicted. Idempotent. */
    void close();
}
