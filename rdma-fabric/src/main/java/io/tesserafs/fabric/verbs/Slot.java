package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.SVCPostSend;
import io.tesserafs.fabric.verbs.rdmacore.RemoteFlush;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Room for one operation under way: a piece of registered memory, and the requests that use it, laid out once. Used by one thread at a
 * time, but completed by whichever polls.
 */
final class Slot {
    private static final int PENDING = -1;

    private final int number;
    private final MemorySegment buffer;
    private final int bufferKey;
    private final SVCPostSend write;
    private final SVCPostSend inlineWrite;
    private final SVCPostSend read;
    private final SVCPostSend quietRead;
    private volatile int status;
    private volatile @Nullable Thread sleeper;

    Slot(int number, IbvQP qp, IbvMr memory, MemorySegment buffer) throws IOException {
        this(
                number,
                buffer,
                memory.getLkey(),
                prepare(number, qp, IbvSendWR.IBV_WR_RDMA_WRITE, IbvSendWR.IBV_SEND_SIGNALED),
                prepare(
                        number,
                        qp,
                        IbvSendWR.IBV_WR_RDMA_WRITE,
                        IbvSendWR.IBV_SEND_SIGNALED | IbvSendWR.IBV_SEND_INLINE),
                prepare(number, qp, IbvSendWR.IBV_WR_RDMA_READ, IbvSendWR.IBV_SEND_SIGNALED),
                prepare(number, qp, IbvSendWR.IBV_WR_RDMA_READ, 0));
    }

    Slot(
            int number,
            MemorySegment buffer,
            int bufferKey,
            SVCPostSend write,
            SVCPostSend inlineWrite,
            SVCPostSend read,
            SVCPostSend quietRead) {
        this.number = number;
        this.buffer = buffer;
        this.bufferKey = bufferKey;
        this.write = write;
        this.inlineWrite = inlineWrite;
        this.read = read;
        this.quietRead = quietRead;
    }

    private static SVCPostSend prepare(int number, IbvQP qp, int opcode, int flags) throws IOException {
        IbvSendWR request = new IbvSendWR();
        request.setWr_id(number);
        request.setOpcode(opcode);
        request.setSend_flags(flags);
        request.getSg_list().add(new IbvSge());
        request.setNum_sge(1);
        return qp.postSend(List.of(request), null);
    }

    MemorySegment buffer() {
        return buffer;
    }

    void postWrite(long remote, int remoteKey, int bytes) throws IOException {
        post(write, remote, remoteKey, buffer.address(), bytes, bufferKey);
    }

    /** The bytes travel in the request, so that the device need not fetch them. */
    void postInlineWrite(long remote, int remoteKey, int bytes) throws IOException {
        post(inlineWrite, remote, remoteKey, buffer.address(), bytes, bufferKey);
    }

    void postRead(long remote, int remoteKey, int bytes) throws IOException {
        post(read, remote, remoteKey, buffer.address(), bytes, bufferKey);
    }

    /** Completes unseen, unless it fails: a request that is posted after it has to be waited for. */
    void postQuietRead(long remote, int remoteKey, int bytes) throws IOException {
        post(quietRead, remote, remoteKey, buffer.address(), bytes, bufferKey);
    }

    /** Without a copy: {@code local} is registered under {@code localKey}. */
    void postWriteFrom(long local, int localKey, long remote, int remoteKey, int bytes) throws IOException {
        post(write, remote, remoteKey, local, bytes, localKey);
    }

    void postReadTo(long local, int localKey, long remote, int remoteKey, int bytes) throws IOException {
        post(read, remote, remoteKey, local, bytes, localKey);
    }

    /** @param signalled if not, as of {@link #postQuietRead} */
    void postFlush(RemoteFlush flush, long remote, int remoteKey, long bytes, boolean signalled) throws IOException {
        status = PENDING;
        flush.post(number, remote, remoteKey, bytes, signalled);
    }

    private void post(SVCPostSend call, long remote, int remoteKey, long local, int bytes, int localKey)
            throws IOException {
        SVCPostSend.SendWRMod request = call.getWrMod(0);
        request.getRdmaMod().setRemote_addr(remote);
        request.getRdmaMod().setRkey(remoteKey);
        request.getSgeMod(0).setAddr(local);
        request.getSgeMod(0).setLength(bytes);
        request.getSgeMod(0).setLkey(localKey);
        status = PENDING;
        call.execute();
    }

    boolean isPending() {
        return status == PENDING;
    }

    void complete(int outcome) {
        status = outcome;
        wake();
    }

    /** Who is to be woken when the operation completes; null if nobody sleeps. */
    void sleeper(@Nullable Thread thread) {
        sleeper = thread;
    }

    /** Returns false if nobody sleeps. */
    boolean wake() {
        Thread thread = sleeper;
        if (thread == null) {
            return false;
        }
        LockSupport.unpark(thread);
        return true;
    }

    /** Of enum ibv_wc_status; 0 is success. */
    int status() {
        return status;
    }
}
