package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** Waits for events at file descriptors, by poll(2). */
final class Descriptors {
    /** struct pollfd: i32 fd, i16 events, i16 events seen. */
    private static final int POLL_BYTES = 8;

    private static final int POLL_EVENTS = 4;
    private static final short POLLIN = 1;

    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final MethodHandle POLL = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("poll"),
                    FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT),
                    Linker.Option.captureCallState("errno"));

    private Descriptors() {}

    /**
     * Whether something can be read; false also when a signal came first.
     *
     * @param timeoutMs negative waits without end
     */
    static boolean awaitReadable(int fd, int timeoutMs) throws VerbsException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            MemorySegment poll = arena.allocate(POLL_BYTES, Long.BYTES);
            poll.set(JAVA_INT, 0, fd);
            poll.set(JAVA_SHORT, POLL_EVENTS, POLLIN);
            int ready = (int) POLL.invokeExact(capture, poll, 1L, timeoutMs);
            int errno = (int) ERRNO.get(capture, 0L);
            if (ready < 0 && errno != Errors.EINTR) {
                throw new VerbsException("poll", errno);
            }
            return ready > 0;
        } catch (VerbsException e) {
            throw e;
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }
}
