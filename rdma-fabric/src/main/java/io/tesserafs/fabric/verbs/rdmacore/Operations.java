package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The functions that the headers of libibverbs inline: they are called through the table in the device's context. Made once for each
 * context, which it examines first, so that an unknown layout is an error and not a jump into nowhere. Posting and polling allocate
 * nothing. They may enter the kernel (soft-RoCE does), so they are not {@code critical}.
 */
final class Operations {
    private static final MethodHandle POST = hot(FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle POLL = hot(FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG));
    private static final MethodHandle NOTIFY = hot(FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle ALLOC_MW = hot(FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle DEALLOC_MW = hot(FunctionDescriptor.of(JAVA_INT, JAVA_LONG));

    /** More than any device has cores. */
    private static final int MAX_COMPLETION_VECTORS = 1 << 16;

    private final MemorySegment postSend;
    private final MemorySegment postReceive;
    private final MemorySegment poll;
    private final MemorySegment requestNotification;
    private final MemorySegment allocWindow;
    private final MemorySegment deallocWindow;

    private Operations(long context, List<String> map) throws VerbsUnavailableException {
        postSend = code(map, context, VerbsLayout.CONTEXT_POST_SEND, "post_send");
        postReceive = code(map, context, VerbsLayout.CONTEXT_POST_RECV, "post_recv");
        poll = code(map, context, VerbsLayout.CONTEXT_POLL_CQ, "poll_cq");
        requestNotification = code(map, context, VerbsLayout.CONTEXT_REQ_NOTIFY_CQ, "req_notify_cq");
        allocWindow = code(map, context, VerbsLayout.CONTEXT_ALLOC_MW, "alloc_mw");
        deallocWindow = code(map, context, VerbsLayout.CONTEXT_DEALLOC_MW, "dealloc_mw");
    }

    static Operations of(long context) throws IOException {
        int vectors = NativeMemory.getInt(context + VerbsLayout.CONTEXT_COMPLETION_VECTORS);
        int fd = NativeMemory.getInt(context + VerbsLayout.CONTEXT_COMMAND_FD);
        Path device = Path.of("/proc/self/fd/" + fd);
        if (vectors < 1 || vectors > MAX_COMPLETION_VECTORS || fd < 0 || !isVerbsDevice(device)) {
            throw unknownLayout("command descriptor " + fd + ", " + vectors + " completion vectors");
        }
        return new Operations(context, Files.readAllLines(Path.of("/proc/self/maps")));
    }

    private static boolean isVerbsDevice(Path fd) throws IOException {
        return Files.isSymbolicLink(fd) && Files.readSymbolicLink(fd).toString().startsWith("/dev/infiniband/");
    }

    /**
     * A pointer to a function in a structure.
     *
     * @param map the lines of /proc/self/maps
     */
    static MemorySegment code(List<String> map, long structure, int offset, String name)
            throws VerbsUnavailableException {
        long address = NativeMemory.getLong(structure + offset);
        if (!isExecutable(map, address)) {
            throw unknownLayout(name + " at " + Long.toHexString(address) + " is not code");
        }
        return MemorySegment.ofAddress(address);
    }

    private static VerbsUnavailableException unknownLayout(String what) {
        return new VerbsUnavailableException("ibv_context or ibv_qp_ex is not laid out as expected: " + what);
    }

    /** @param map the lines of /proc/self/maps: {@code from-to permissions ...}, in hexadecimal */
    static boolean isExecutable(List<String> map, long address) {
        for (String line : map) {
            int dash = line.indexOf('-');
            int space = line.indexOf(' ');
            long from = Long.parseUnsignedLong(line, 0, dash, 16);
            long to = Long.parseUnsignedLong(line, dash + 1, space, 16);
            if (Long.compareUnsigned(address, from) >= 0 && Long.compareUnsigned(address, to) < 0) {
                return line.charAt(space + 3) == 'x';
            }
        }
        return false;
    }

    /** Returns 0 or an error number. */
    int postSend(long qp, long requests, long firstBad) {
        try {
            return (int) POST.invokeExact(postSend, qp, requests, firstBad);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    /** Returns 0 or an error number. */
    int postReceive(long qp, long requests, long firstBad) {
        try {
            return (int) POST.invokeExact(postReceive, qp, requests, firstBad);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    /** Returns the number of completions taken, negative for failure. */
    int poll(long cq, int max, long completions) {
        try {
            return (int) POLL.invokeExact(poll, cq, max, completions);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    int requestNotification(long cq, boolean solicitedOnly) {
        try {
            return (int) NOTIFY.invokeExact(requestNotification, cq, solicitedOnly ? 1 : 0);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    /** Returns 0 for failure. */
    long allocWindow(long pd, int type) {
        try {
            return (long) ALLOC_MW.invokeExact(allocWindow, pd, type);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    /** Returns 0 or an error number. */
    int deallocWindow(long window) {
        try {
            return (int) DEALLOC_MW.invokeExact(deallocWindow, window);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    private static MethodHandle hot(FunctionDescriptor type) {
        return Linker.nativeLinker().downcallHandle(type);
    }
}
