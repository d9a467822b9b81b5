package io.tesserafs.fuse.protocol;

import java.lang.foreign.MemorySegment;

/**
 * One way into a FUSE connection: a reader thread receives requests from it, and each request is answered through the
 * channel it came from. The seam between codec and transport: another transport (io_uring) is another implementation.
 *
 * <p>{@code receive} is called by one thread; answers come from any thread. Addresses are of native memory that stays mapped
 * during the call.
 */
public interface Channel {
    /** {@link #receive}: nothing this time (a signal, or the request was withdrawn); ask again. */
    int RETRY = -1;

    /** {@link #receive}: the connection is gone; a normal end. */
    int UNMOUNTED = -2;

    /** Waits for a request. Its length in bytes, {@link #RETRY} or {@link #UNMOUNTED}. */
    int receive(MemorySegment capture, long address, long capacity);

    /**
     * Sends one answer or notification that lies in one piece.
     *
     * @param capture where errno may be left; belongs to the caller during the call
     * @return 0 or the errno
     */
    int send(MemorySegment capture, long address, long length);

    /** Sends one answer gathered from {@code count} struct iovec at {@code iovecs}; 0 or the errno. */
    int sendGathered(MemorySegment capture, long iovecs, int count);
}
