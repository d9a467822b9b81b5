package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvSendWR;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * FLUSH, of IBTA 1.5: when it has completed, what came before it on its queue pair to that range is visible to all at the target, and
 * persistent, without the target's processor having been asked. The memory must have been registered with {@link #ACCESS}, and so must
 * the window through which it is reached.
 *
 * <p>It can only be posted by functions that the queue pair itself points to, of which the first takes a lock of the device's library
 * and the last gives it back, so nothing that may fail stands in between. A process that has begun to post may also be stopped there by
 * its garbage collector: others who post wait for that long, spinning. Posting allocates nothing. Thread-safe.
 */
public final class RemoteFlush {
    /** Of enum ibv_access_flags, both: visible to all, and persistent. */
    public static final int ACCESS = 1 << 8 | 1 << 9;

    /** Of enum ibv_qp_create_send_ops_flags. */
    static final long SEND_OPERATION = 1 << 11;

    /** Of enum ibv_placement_type, both. */
    private static final byte VISIBLE_AND_PERSISTENT = 1 | 2;

    /** Of enum ibv_selectivity_level. */
    private static final byte RANGE = 0;

    private static final MethodHandle START = downcall(FunctionDescriptor.ofVoid(JAVA_LONG));
    private static final MethodHandle FLUSH =
            downcall(FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_BYTE, JAVA_BYTE));
    private static final MethodHandle COMPLETE = downcall(FunctionDescriptor.of(JAVA_INT, JAVA_LONG));

    private final long qp;
    private final MemorySegment start;
    private final MemorySegment flush;
    private final MemorySegment complete;

    private RemoteFlush(long qp, List<String> map) throws VerbsUnavailableException {
        this.qp = qp;
        this.start = Operations.code(map, qp, VerbsLayout.QP_EX_START, "wr_start");
        this.complete = Operations.code(map, qp, VerbsLayout.QP_EX_COMPLETE, "wr_complete");
        this.flush = Operations.code(map, qp, VerbsLayout.QP_EX_FLUSH, "wr_flush");
    }

    /** Of a queue pair that was made with {@link #SEND_OPERATION}. */
    static RemoteFlush of(IbvQP qp) throws IOException {
        NativeCall extend = Libraries.get().qpToQpEx;
        if (extend == null) {
            throw new VerbsUnavailableException("libibverbs is too old for queue pairs with FLUSH");
        }
        long extended = extend.pointer(((CoreQp) qp).address);
        if (NativeMemory.getInt(extended + VerbsLayout.QP_NUMBER) != qp.getQp_num()) {
            throw new VerbsUnavailableException("ibv_qp_ex is not laid out as expected");
        }
        return new RemoteFlush(extended, Files.readAllLines(Path.of("/proc/self/maps")));
    }

    /**
     * Posts the request.
     *
     * @param bytes at most 2 GiB
     * @param signalled whether its success is to be reported
     */
    public void post(long requestId, long remote, int remoteKey, long bytes, boolean signalled) throws IOException {
        int error;
        try {
            START.invokeExact(start, qp);
            NativeMemory.setLong(qp + VerbsLayout.QP_EX_ID, requestId);
            NativeMemory.setInt(qp + VerbsLayout.QP_EX_FLAGS, signalled ? IbvSendWR.IBV_SEND_SIGNALED : 0);
            FLUSH.invokeExact(flush, qp, remoteKey, remote, bytes, VISIBLE_AND_PERSISTENT, RANGE);
            error = (int) COMPLETE.invokeExact(complete, qp);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
        if (error != 0) {
            throw new VerbsException("ibv_wr_flush", error);
        }
    }

    private static MethodHandle downcall(FunctionDescriptor type) {
        return Linker.nativeLinker().downcallHandle(type);
    }
}
