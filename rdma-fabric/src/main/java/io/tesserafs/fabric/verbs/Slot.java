package io.tesserafs.fabric.verbs;

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
    private final PreparedPosts posts;
    private final SVCPostSend write;
    private final SVCPostSend inlineWrite;
    private final SVCPostSend read;
    private volatile int status;
    private volatile @Nullable Thread sleeper;

    /** See {@link #moreDue}. Of whoever uses the slot. */
    private boolean moreDue;

    /** @param buffer registered under {@code bufferKey} */
    Slot(int number, MemorySegment buffer, int bufferKey, PreparedPosts posts) throws IOException {
        this.number = number;
        this.buffer = buffer;
        this.bufferKey = bufferKey;
        this.posts = posts;
        this.write = posts.get(OneSided.WRITE, 1, true);
        this.inlineWrite = posts.inlineWrite();
        this.read = posts.get(OneSided.READ, 1, true);
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
        SVCPostSend quietRead = posts.get(OneSided.READ, 1, false);
        post(quietRead, remote, remoteKey, buffer.address(), bytes, bufferKey);
    }

    /** Without a copy: {@code local} is registered under {@code localKey}. */
    void postWriteFrom(long local, int localKey, long remote, int remoteKey, int bytes) throws IOException {
        post(write, remote, remoteKey, local, bytes, localKey);
    }

    void postReadTo(long local, int localKey, long remote, int remoteKey, int bytes) throws IOException {
        post(read, remote, remoteKey, local, bytes, localKey);
    }

    /**
     * Without a copy, from or to each of its elements.
     *
     * @param signalled if not, as of {@link #postQuietRead}
     */
    void postGather(OneSided kind, Gather gather, boolean signalled) throws IOException {
        List<Gather.Element> elements = gather.elements();
        SVCPostSend call = posts.get(kind, elements.size(), signalled);
        SVCPostSend.SendWRMod request = call.getWrMod(0);
        request.getRdmaMod().setRemote_addr(gather.remote());
        request.getRdmaMod().setRkey(gather.key());
        for (int i = 0; i < elements.size(); i++) {
            set(
                    request.getSgeMod(i),
                    elements.get(i).address(),
                    elements.get(i).bytes(),
                    elements.get(i).localKey());
        }
        status = PENDING;
        call.execute();
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
        set(request.getSgeMod(0), local, bytes, localKey);
        status = PENDING;
        call.execute();
    }

    private static void set(SVCPostSend.SgeMod element, long local, int bytes, int localKey) {
        element.setAddr(local);
        element.setLength(bytes);
        element.setLkey(localKey);
    }

    boolean isPending() {
        return status == PENDING;
    }

    /**
     * Several of its requests are under way, so that one that is handed back does not say that none is. By the thread that uses the slot.
     */
    void moreDue(boolean more) {
        moreDue = more;
    }

    /** Whether the device may still use the memory of a request. By the thread that uses the slot. */
    boolean isDue() {
        return moreDue || isPending();
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
