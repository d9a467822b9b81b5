package io.tesserafs.coherence.lock;

/**
 * A lock that is asked for, or asked about.
 *
 * @param pid of the process as its node's daemon sees it: for F_GETLK, and only of use on that node
 * @param lastByte inclusive; {@link #TO_END} for "whatever the file grows to"
 */
public record LockRequest(
        long inode, LockKind kind, LockOwner owner, int pid, LockMode mode, long firstByte, long lastByte) {
    public static final long TO_END = Long.MAX_VALUE;

    public LockRequest {
        LockedRange.check(firstByte, lastByte);
        if (kind == LockKind.FLOCK && (firstByte != 0 || lastByte != TO_END)) {
            throw new IllegalArgumentException("flock of a part: " + firstByte + " to " + lastByte);
        }
    }
}
