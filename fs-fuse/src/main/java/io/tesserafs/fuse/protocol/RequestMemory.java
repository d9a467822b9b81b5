package io.tesserafs.fuse.protocol;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Where the memory comes from that most requests, with the bytes of their WRITEs, are read into. Thread-safe. */
@FunctionalInterface
public interface RequestMemory {
    /** Nothing special: memory that returns to the system when it is idle. */
    RequestMemory ANY = bytes -> null;

    /** Page-aligned, for as long as it is reachable; its pages are never given back to the system. Null if any other will do. */
    @Nullable
    MemorySegment allocate(long bytes);
}
