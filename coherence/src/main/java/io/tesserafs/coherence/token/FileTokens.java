package io.tesserafs.coherence.token;

/**
 * This node's DATA tokens on one inode. Thread-safe.
 *
 * <p>Use: {@code if (tokens.tryEnter(from, to, mode)) try { serve } finally { tokens.exit(); } else acquire elsewhere, retry}.
 * Between enter and exit the token cannot be released (a recall waits for users), so what is read or written in between is
 * covered. Holders serve: a recall under way does not refuse entry, it makes another pass.
 */
public interface FileTokens {
    /** End of the widest range: to the end of any file. */
    long TO_END = Long.MAX_VALUE;

    /** Hot path: no allocation, no lock, no wait. False if the token is not held, or not in a mode that covers {@code mode}. */
    boolean tryEnter(long fromByte, long toByte, Mode mode);

    /** Ends one successful {@link #tryEnter}. */
    void exit();

    /**
     * Asks the owner and waits until the range was granted at least once; the caller then tries to enter again. Not from a
     * request's reader thread.
     *
     * @throws TokenException the session ended, or the wait was interrupted
     */
    void acquire(long fromByte, long toByte, Mode mode) throws TokenException;

    /** The inode is not in use here any more. Tokens stay cached until recalled or evicted. */
    void close();
}
