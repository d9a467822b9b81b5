package io.tesserafs.coherence.lock;

import io.tesserafs.fabric.brick.SessionId;

/**
 * Who holds a lock. Locks of one owner never conflict with each other.
 *
 * @param kernelOwner what the node's kernel calls the process (POSIX) or the open file description (others); meaningless elsewhere
 */
public record LockOwner(SessionId session, long kernelOwner) {}
