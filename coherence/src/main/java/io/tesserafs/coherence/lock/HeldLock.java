package io.tesserafs.coherence.lock;

/**
 * A lock that is held, in the largest range that is held in one mode.
 *
 * @param pid as in {@link LockRequest}
 * @param lastByte inclusive
 */
public record HeldLock(
        long inode, LockKind kind, LockOwner owner, int pid, LockMode mode, long firstByte, long lastByte) {
    /** The request that would be granted this lock. */
    public LockRequest asRequest() {
        return new LockRequest(inode, kind, owner, pid, mode, firstByte, lastByte);
    }
}
