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
import java.util.concurrent.TimeUnit;

/** Waits for events at file descriptors, by poll(2), and keeps reading them from waiting. */
final class Descriptors {
    /** struct pollfd: i32 fd, i16 events, i16 events seen. */
    private static final int POLL_BYTES = 8;

    private static final int POLL_EVENTS = 4;
    private static final short POLLIN = 1;

    /** Of fcntl(2). */
    private static final int F_GETFL = 3;

    private static final int F_SETFL = 4;
    static final int O_NONBLOCK = 0x800;

    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final MethodHandle POLL = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("poll"),
                    FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT),
                    Linker.Option.captureCallState("errno"));

    private static final MethodHandle FCNTL = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("fcntl"),
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
                    Linker.Option.firstVariadicArg(2),
                    Linker.Option.captureCallState("errno"));

    private Descriptors() {}

    /** Reading fails with EAGAIN from now on where it would wait: what was there when it was looked for may be gone. */
    static void neverBlock(int fd) throws VerbsException {
        int flags = fcntl(fd, F_GETFL, 0);
        int _ = fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }

    private static int fcntl(int fd, int command, int argument) throws VerbsException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            int result = (int) FCNTL.invokeExact(capture, fd, command, argument);
            if (result < 0) {
                throw new VerbsException("fcntl", (int) ERRNO.get(capture, 0L));
            }
            return result;
        } catch (VerbsException e) {
            throw e;
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    /**
     * Whether something can be read. A signal does not shorten the wait.
     *
     * @param timeoutMs negative waits without end
     */
    static boolean awaitReadable(int fd, int timeoutMs) throws VerbsException {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        int leftMs = timeoutMs;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            MemorySegment poll = arena.allocate(POLL_BYTES, Long.BYTES);
            poll.set(JAVA_INT, 0, fd);
            poll.set(JAVA_SHORT, POLL_EVENTS, POLLIN);
            while (true) {
                int ready = (int) POLL.invokeExact(capture, poll, 1L, leftMs);
                if (ready >= 0) {
                    return ready > 0;
                }
                int errno = (int) ERRNO.get(capture, 0L);
                if (errno != Errors.EINTR) {
                    throw new VerbsException("poll", errno);
                }
                if (timeoutMs >= 0) {
                    leftMs = (int) TimeUnit.NANOSECONDS.toMillis(Math.max(0, deadlineNs - System.nanoTime()));
                }
            }
        } catch (VerbsException e) {
            throw e;
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }
}
