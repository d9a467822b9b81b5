package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.verbs.ControlCodec.Prepared;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** The keys by which the peer of one queue pair reaches blocks, one for each handle that was prepared. Not thread-safe. */
interface TargetKeys {
    /** Makes the key, if the handle has none yet. */
    Prepared give(HandleKey handle, MemorySegment block, boolean writable) throws IOException;

    /** Whether the handle has a key. */
    boolean reaches(HandleKey handle);

    /**
     * Once it returns, no byte travels by the handle; the peer's attempts end its queue pair. If it fails, the queue pair must be closed.
     */
    void take(HandleKey handle) throws IOException;

    /** Ends the queue pair and all keys, in the order that the device needs. Once. */
    void close(QueuePairs.Step destroyQueuePair) throws IOException;
}
