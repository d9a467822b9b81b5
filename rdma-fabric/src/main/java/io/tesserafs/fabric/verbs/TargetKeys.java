package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.tcp.RemoteKey;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** The keys by which the peer of one queue pair reaches blocks, one for each handle that was prepared. Not thread-safe. */
interface TargetKeys {
    /**
     * Makes the key, if the handle has none yet.
     *
     * @throws UnreturnedException if the queue pair must be closed
     */
    RemoteKey give(HandleKey handle, MemorySegment block, boolean writable) throws IOException;

    /** Whether the handle has a key. */
    boolean reaches(HandleKey handle);

    /** Whether any has. */
    boolean reachesAny();

    /**
     * Once it returns, no byte travels by the handle; the peer's attempts end its queue pair. If it fails, the queue pair must be closed.
     */
    void take(HandleKey handle) throws IOException;

    /**
     * Ends the queue pair and all keys, in the order that the device needs. Once. If it fails, memory may still be reached by those that {@link #reaches} tells.
     */
    void close(QueuePairs.Step destroyQueuePair) throws IOException;
}
