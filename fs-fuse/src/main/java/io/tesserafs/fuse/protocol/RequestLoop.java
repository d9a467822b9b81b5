package io.tesserafs.fuse.protocol;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * A reader thread's work: receive, dispatch, over and over, until the connection ends. Owned by its thread, but for
 * {@link #current}, which INTERRUPT handling on other readers looks at.
 */
final class RequestLoop {
    private static final VarHandle CURRENT;

    static {
        try {
            CURRENT = MethodHandles.lookup().findVarHandle(RequestLoop.class, "current", FuseRequest.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Connection connection;
    private final Channel channel;
    private final Dispatcher dispatcher;
    /** For receiving; a request may take its own area along when it detaches. */
    private final MemorySegment capture;

    private RequestBuffer buffer;
    private FuseRequest current;

    RequestLoop(Connection connection, Channel channel, Dispatcher dispatcher) {
        this.connection = connection;
        this.channel = channel;
        this.dispatcher = dispatcher;
        this.capture = connection.pool.takeArea().capture();
        this.buffer = connection.pool.takeBuffer();
        this.current = new FuseRequest(connection, this, connection.pool.takeArea(), buffer);
    }

    Channel channel() {
        return channel;
    }

    FuseRequest current() {
        return (FuseRequest) CURRENT.getAcquire(this);
    }

    /** The current request detaches; this thread goes on with {@code next} as its buffer. */
    void replaceCurrent(RequestBuffer next) {
        buffer = next;
        CURRENT.setRelease(this, new FuseRequest(connection, this, connection.pool.takeArea(), next));
    }

    /** Until the connection ends. Throws what the transport does not tolerate. */
    void run() {
        int received;
        do {
            received = runOnce();
        } while (received != Channel.UNMOUNTED);
    }

    /** One request, or none; what {@link Channel#receive} returned. */
    int runOnce() {
        MemorySegment memory = buffer.memory();
        int received = channel.receive(capture, memory.address(), memory.byteSize());
        if (received >= 0) {
            dispatcher.dispatch(current, memory, received);
        }
        return received;
    }
}
