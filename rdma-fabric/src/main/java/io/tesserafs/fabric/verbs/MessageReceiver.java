package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.IbvWC.IbvWcOpcode;
import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCPostRecv;
import com.ibm.disni.verbs.SVCReqNotify;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes messages in the order they were sent, and posts each receive again when its bytes have been read. What a message says is checked
 * before it is used; the device has seen to it that none is longer than a receive. One thread at a time.
 */
final class MessageReceiver {
    /** Polls between two looks at the clock. */
    private static final int POLLS_PER_LOOK = 16;

    /** How often who sleeps looks whether there is still a peer. */
    private static final int SLEEP_MS = 200;

    /** While the peer waits for credits that could not be returned yet. */
    private static final int RETRY_MS = 1;

    private final WireEnd end;
    private final MessageSender sender;
    private final IbvCQ queue;
    private final IbvCompChannel events;
    private final Look look;
    private final Pace pace = new Pace();
    private final ByteBuffer[] messages = new ByteBuffer[MessageLayout.RECEIVES];
    private final SVCPostRecv[] receives = new SVCPostRecv[MessageLayout.RECEIVES];
    private final IbvWC[] arrived = new IbvWC[MessageLayout.RECEIVES];
    private final SVCPollCq poll;
    private final SVCReqNotify notify;
    private int count;
    private int next;
    /** What is left of a message; null if nothing is. */
    private @Nullable ByteBuffer current;

    private int currentSlot;

    /** What is done from time to time when nothing comes. */
    interface Look {
        void run() throws IOException;
    }

    /** @param memory of {@link MessageLayout#RECEIVES} messages, registered as {@code region} */
    MessageReceiver(
            IbvQP qp,
            IbvCQ queue,
            IbvCompChannel events,
            IbvMr region,
            MemorySegment memory,
            MessageSender sender,
            WireEnd end,
            Look look)
            throws IOException {
        this.end = end;
        this.sender = sender;
        this.queue = queue;
        this.events = events;
        this.look = look;
        for (int i = 0; i < MessageLayout.RECEIVES; i++) {
            MemorySegment message = memory.asSlice((long) i * MessageLayout.MESSAGE_BYTES, MessageLayout.MESSAGE_BYTES);
            messages[i] = message.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            receives[i] = prepare(qp, i, message, region.getLkey());
            arrived[i] = new IbvWC();
        }
        this.poll = queue.poll(arrived, MessageLayout.RECEIVES);
        this.notify = queue.reqNotification(false);
        for (SVCPostRecv receive : receives) {
            receive.execute();
        }
    }

    @SuppressWarnings({"JdkObsolete", "NonApiType"}) // what DiSNI's interface takes
    private static SVCPostRecv prepare(IbvQP qp, int slot, MemorySegment message, int key) throws IOException {
        IbvSge sge = new IbvSge();
        sge.setAddr(message.address());
        sge.setLength(MessageLayout.MESSAGE_BYTES);
        sge.setLkey(key);
        IbvRecvWR request = new IbvRecvWR();
        request.setWr_id(slot);
        request.setSg_list(new LinkedList<>(List.of(sge)));
        request.setNum_sge(1);
        return qp.postRecv(new ArrayList<>(List.of(request)), null);
    }

    /** Waits for bytes, and takes those of one message that fit. */
    int read(ByteBuffer target) throws IOException {
        while (true) {
            ByteBuffer message = current;
            if (message != null) {
                int bytes = Math.min(target.remaining(), message.remaining());
                target.put(target.position(), message, message.position(), bytes);
                target.position(target.position() + bytes);
                message.position(message.position() + bytes);
                if (!message.hasRemaining()) {
                    current = null;
                    postAgain(currentSlot);
                }
                return bytes;
            }
            if (next == count) {
                next = 0;
                count = 0; // also if waiting fails
                count = await();
            }
            open(arrived[next++]);
        }
    }

    private void open(IbvWC completion) throws IOException {
        if (completion.getStatus() != 0) {
            throw failed(completion.getStatus());
        }
        if (completion.getOpcode() != IbvWcOpcode.IBV_WC_RECV.getOpcode()) {
            throw new IOException("the peer breaks the protocol: not a message, but " + completion.getOpcode());
        }
        int slot = (int) completion.getWr_id();
        ByteBuffer message = messages[slot].clear();
        sender.received(MessageLayout.open(message, completion.getByte_len()));
        if (message.hasRemaining()) {
            current = message;
            currentSlot = slot;
        } else {
            postAgain(slot);
        }
    }

    /** Devices have several codes for a message that is longer than its receive. */
    private IOException failed(int status) throws IOException {
        if (CompletionStatus.is(status, IbvWcStatus.IBV_WC_WR_FLUSH_ERR)) {
            sender.noteFailures();
            end.set(MessageSender.describe(status));
        } else {
            end.set("the peer breaks the protocol: a message longer than " + MessageLayout.MESSAGE_BYTES
                    + " bytes, or a broken one (" + CompletionStatus.describe(status) + ")");
        }
        return end.failure();
    }

    private void postAgain(int slot) throws IOException {
        receives[slot].execute();
        sender.posted();
    }

    /** Returns how many have arrived, at least one. What came before the end is taken first. */
    private int await() throws IOException {
        long beganNs = System.nanoTime();
        int some = poll();
        if (some == 0 && pace.isSpinningWorthwhile()) {
            do {
                for (int i = 0; i < POLLS_PER_LOOK && some == 0; i++) {
                    Thread.onSpinWait();
                    some = poll();
                }
            } while (some == 0 && System.nanoTime() - beganNs < Pace.SPIN_NS);
        }
        while (some == 0) {
            some = sleep();
        }
        pace.took(System.nanoTime() - beganNs);
        return some;
    }

    private int poll() throws IOException {
        return poll.execute().getPolls();
    }

    /** Asks to be woken first and looks after that, so that nothing comes unseen in between. */
    private int sleep() throws IOException {
        notify.execute();
        int some = poll();
        if (some > 0) {
            return some;
        }
        if (end.isSet()) {
            throw end.failure();
        }
        if (events.getCqEvent(queue, sender.isReturnDelayed() ? RETRY_MS : SLEEP_MS)) {
            queue.ackEvents(1);
        } else {
            look.run();
        }
        return poll();
    }
}
