package io.tesserafs.fabric.brick;

import java.util.List;

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
    default BlockHandle map(BlockId id, Access access) throws BrickException {
        return mapAll(access, 1, List.of(id)).getFirst().handle();
    }

    /**
     * MAPs of several blocks, with as few calls as can be. Each block has an outcome of its own (NOT_FOUND, UNREACHABLE of one that is
     * withheld), in the order of the ids.
     *
     * @param soon so many of the first are going to be used at once: what else that takes is seen to in the same call
     * @throws BrickException of what concerns all of them (FENCED, UNREACHABLE); then none is mapped
     */
    List<Mapping> mapAll(Access access, int soon, List<BlockId> ids) throws BrickException;

    /** Whether the handle was mapped through this client; also if it is dead. */
    boolean owns(BlockHandle handle);

    /** Kills the handle; idempotent. When it returns, no operation through it is under way. */
    default void unmap(BlockHandle handle) {
        unmapAll(List.of(handle));
    }

    /** The same for several, with as few calls as can be. Does nothing if one of them is not of this client, but throws. */
    void unmapAll(List<BlockHandle> handles);

    /**
     * Returns when all earlier writes by this process to all of the ranges are persistent; with as few waits as can be.
     *
     * @param ranges through handles of this client
     * @throws BrickException as {@link BlockHandle#flush} of one of them does; others may not be persistent either
     */
    default void flushAll(List<FlushRange> ranges) throws BrickException {
        for (FlushRange range : ranges) {
            range.flush();
        }
    }

    /**
     * Copies all of the ranges into their parts; with as few waits as can be, and without a copy on the way where all parts of one are
     * {@link TransferMemory}. In no particular order: parts that overlap may hold any of what they are filled from.
     *
     * @param transfers through handles of this client, into memory that is not read-only; nothing is read if one is not
     *     (IllegalArgumentException), or is OUT_OF_BOUNDS
     * @throws BrickException as {@link BlockHandle#read} of one of them does; what the parts of others hold is not said either
     */
    default void readAll(List<Transfer> transfers) throws BrickException {
        Transfer.checkReads(this, transfers);
        for (Transfer transfer : transfers) {
            transfer.read();
        }
    }

    /**
     * Copies all parts into their ranges, as {@link #readAll} does the other way. In no particular order: of ranges that overlap each byte
     * is from one of them. Visible to every reader when it returns; persistent only after {@link #flushAll}.
     *
     * @param transfers through handles of this client; nothing is written if one is not (IllegalArgumentException), or is OUT_OF_BOUNDS,
     *     or is through a living handle for reading (ACCESS)
     * @throws BrickException as {@link BlockHandle#write} of one of them does; others may or may not have been written
     */
    default void writeAll(List<Transfer> transfers) throws BrickException {
        Transfer.checkWrites(this, transfers);
        for (Transfer transfer : transfers) {
            transfer.write();
        }
    }

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
