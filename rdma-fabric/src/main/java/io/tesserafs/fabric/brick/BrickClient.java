package io.tesserafs.fabric.brick;

/**
 * The six calls of a brick, as one session sees them, plus what the brick is. Thread-safe. Calls may block.
 *
 * <p>ALLOC and FREE are durable when they return: after a loss of power the allocation table holds exactly what was
 * answered, and possibly a call that was under way, or any part of its ids.
 */
public interface BrickClient extends AutoCloseable {
    BrickId brick();

    SessionId session();

    /** {@link BrickInfo#losses} of the memory that this client reaches; another value needs another client. */
    int losses();

    /** How bytes travel between this process and the brick. */
    Provider provider();

    /** Asks the brick; if it cannot be reached, what was last known of it. */
    BrickInfo info();

    /**
     * Allocates all of the ids or none, with one wait for persistence. Content is undefined: callers zero what they expose.
     *
     * @throws BrickException EXISTS, NO_SPACE
     */
    void alloc(BlockId... ids) throws BrickException;

    /**
     * Frees all of the ids, with one wait for persistence. Handles to them die first. An id that does not exist is an error
     * (NOT_FOUND) after the others were freed; so is one whose memory another process of the brick's host has mapped and does not let
     * go of (STILL_MAPPED), which stays allocated.
     */
    void free(BlockId... ids) throws BrickException;

    /** Several MAPs of one block give independent handles. */
    BlockHandle map(BlockId id, Access access) throws BrickException;

    /** Kills the handle; idempotent. When it returns, no operation through it is under way. */
    void unmap(BlockHandle handle);

    /**
     * Allocated ids with the given volume number that are {@code >= from}, ascending, at most {@code max}; shorter means the end.
     */
    long[] list(BlockId from, int max) throws BrickException;

    /**
     * Kills every handle of another session and refuses it from now on. When it returns, no byte of that session lands any more.
     *
     * @throws BrickException STILL_MAPPED if that is not sure yet of a process of the brick's host that has memory mapped: once it
     *     is dead, or answers, the call succeeds when it is repeated. All else is done.
     */
    void fence(SessionId victim) throws BrickException;

    /** Unmaps what was mapped through this client. Idempotent. */
    @Override
    void close();
}
