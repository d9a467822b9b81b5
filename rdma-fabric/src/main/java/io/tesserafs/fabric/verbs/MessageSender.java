package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCPostSend;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Sends messages as the peer's credits allow. Who has bytes waits for a credit and a place; who only returns credits, the reader, never
 * does. Completions are polled by whoever needs a place: they come by themselves within microseconds, as the peer's device has a receive for
 * each message, so nobody sleeps for them on an event. Thread-safe; allocates nothing per message.
 */
final class MessageSender {
    /** On their way to the peer's device. */
    static final int PLACES = 16;

    private static final long PLACE_WAIT_NS = TimeUnit.MICROSECONDS.toNanos(50);
    /** The reader wakes who waits for credits. */
    private static final long CREDIT_WAIT_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private final WireEnd end;
    private final int inlineBytes;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    /** Guarded by lock, as is the rest. */
    private final WireCredits credits = new WireCredits(MessageLayout.RECEIVES);

    private final SendRing ring = new SendRing(PLACES);
    private final ByteBuffer[] messages = new ByteBuffer[PLACES];
    private final SVCPostSend[] requests = new SVCPostSend[PLACES];
    private final IbvWC[] completions = new IbvWC[PLACES];
    private final SVCPollCq poll;

    /**
     * @param memory of {@link #PLACES} messages, registered as {@code region}
     * @param inlineBytes what a request may carry itself
     */
    MessageSender(IbvQP qp, IbvCQ queue, IbvMr region, MemorySegment memory, int inlineBytes, WireEnd end)
            throws IOException {
        this.end = end;
        this.inlineBytes = inlineBytes;
        for (int i = 0; i < PLACES; i++) {
            MemorySegment message = memory.asSlice((long) i * MessageLayout.MESSAGE_BYTES, MessageLayout.MESSAGE_BYTES);
            messages[i] = message.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            requests[i] = prepare(qp, i, message.address(), region.getLkey());
            completions[i] = new IbvWC();
        }
        this.poll = queue.poll(completions, PLACES);
    }

    private static SVCPostSend prepare(IbvQP qp, int place, long address, int key) throws IOException {
        IbvSge sge = new IbvSge();
        sge.setAddr(address);
        sge.setLkey(key);
        IbvSendWR request = new IbvSendWR();
        request.setWr_id(place);
        request.setOpcode(IbvSendWR.IBV_WR_SEND);
        request.getSg_list().add(sge);
        request.setNum_sge(1);
        return qp.postSend(List.of(request), null);
    }

    /** Sends as much as one message holds; waits until it may. */
    int write(ByteBuffer... sources) throws IOException {
        boolean interrupted = false;
        lock.lock();
        try {
            while (true) {
                if (!ring.hasFree()) {
                    reap();
                }
                if (end.isSet()) {
                    throw end.failure();
                }
                if (ring.hasFree() && credits.maySend()) {
                    break;
                }
                interrupted |= await(ring.hasFree() ? CREDIT_WAIT_NS : PLACE_WAIT_NS);
            }
            return post(sources);
        } finally {
            lock.unlock();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Returns whether it was interrupted; waiting ends with the wire at the latest. */
    @SuppressWarnings("WaitNotInLoop") // the caller's
    private boolean await(long waitNs) {
        try {
            long _ = changed.awaitNanos(waitNs);
            return false;
        } catch (InterruptedException e) {
            return true;
        }
    }

    /** With the lock. */
    private int post(ByteBuffer... sources) throws IOException {
        int place = ring.take();
        ByteBuffer message = messages[place];
        message.clear().position(MessageLayout.HEADER_BYTES);
        for (ByteBuffer source : sources) {
            int bytes = Math.min(source.remaining(), message.remaining());
            message.put(message.position(), source, source.position(), bytes);
            message.position(message.position() + bytes);
            source.position(source.position() + bytes);
        }
        int bytes = message.position();
        MessageLayout.putHeader(message, bytes - MessageLayout.HEADER_BYTES, credits.send());
        SVCPostSend.SendWRMod request = requests[place].getWrMod(0);
        request.getSgeMod(0).setLength(bytes);
        request.setSend_flags((ring.mustReport() ? IbvSendWR.IBV_SEND_SIGNALED : 0)
                | (bytes <= inlineBytes ? IbvSendWR.IBV_SEND_INLINE : 0));
        try {
            requests[place].execute();
        } catch (IOException e) {
            end.set("cannot be sent to: " + e.getMessage());
            throw e;
        }
        return bytes - MessageLayout.HEADER_BYTES;
    }

    /** With the lock. */
    private void reap() throws IOException {
        int count = poll.execute().getPolls();
        for (int i = 0; i < count; i++) {
            if (completions[i].getStatus() == 0) {
                ring.completed((int) completions[i].getWr_id());
            } else {
                end.set(describe(completions[i].getStatus()));
            }
        }
    }

    /** Of enum ibv_wc_status. */
    static String describe(int status) {
        if (CompletionStatus.is(status, IbvWcStatus.IBV_WC_WR_FLUSH_ERR)) {
            return "closed by the peer";
        }
        boolean silent = CompletionStatus.is(status, IbvWcStatus.IBV_WC_RETRY_EXC_ERR)
                || CompletionStatus.is(status, IbvWcStatus.IBV_WC_RESP_TIMEOUT_ERR);
        return (silent ? "the peer's device does not answer (" : "the queue pair failed (")
                + CompletionStatus.describe(status) + ")";
    }

    /** A failure of what was sent is told of here, and the reader finds only that all has ended. */
    void noteFailures() throws IOException {
        lock.lock();
        try {
            reap();
        } finally {
            lock.unlock();
        }
    }

    /** A message has come; on the reading thread. */
    void received(int returned) throws IOException {
        lock.lock();
        try {
            credits.received(returned);
            if (returned > 0) {
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** A receive was posted again; on the reading thread. */
    void posted() throws IOException {
        lock.lock();
        try {
            credits.posted();
            returnCredits();
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether credits should be returned and cannot be yet; who sleeps must ask again soon. Does not wait. */
    boolean isReturnDelayed() throws IOException {
        lock.lock();
        try {
            return returnCredits();
        } finally {
            lock.unlock();
        }
    }

    /** With the lock. */
    private boolean returnCredits() throws IOException {
        if (end.isSet() || !credits.isReturnDue()) {
            return false;
        }
        if (!ring.hasFree()) {
            reap();
        }
        if (!ring.hasFree()) {
            return true;
        }
        post();
        return false;
    }

    /** Who waits looks whether the wire has ended. */
    void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
