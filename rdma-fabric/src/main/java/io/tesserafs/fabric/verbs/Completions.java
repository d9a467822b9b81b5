package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCReqNotify;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Takes the completions of a queue and hands each to the slot whose number it carries. Whoever waits polls: first without a pause, as an
 * answer takes a few microseconds on hardware, then asleep until the device reports one. One thread polls at a time; the others wait for
 * it, and take over when it has what it waited for. Thread-safe; allocates nothing per operation.
 */
final class Completions {
    /** Longer than most operations take; what takes longer is worth a system call. */
    private static final long SPIN_NS = 50_000;

    /** How often who sleeps looks whether there is still somebody to answer. */
    private static final int SLEEP_MS = 200;

    private static final int BATCH = 16;

    private final IbvCQ queue;
    private final IbvCompChannel channel;
    private final Look look;
    private final ReentrantLock polling = new ReentrantLock();
    /** Guarded by polling, as are the next two. */
    private final IbvWC[] batch = new IbvWC[BATCH];

    private final SVCPollCq poll;
    private final SVCReqNotify notify;
    private final Slot[] slots;

    /** What is done from time to time when no completion comes. */
    interface Look {
        void run() throws IOException;
    }

    Completions(IbvCQ queue, IbvCompChannel channel, Look look, Slot... slots) throws IOException {
        this.queue = queue;
        this.channel = channel;
        this.look = look;
        this.slots = slots;
        for (int i = 0; i < BATCH; i++) {
            batch[i] = new IbvWC();
        }
        this.poll = queue.poll(batch, BATCH);
        this.notify = queue.reqNotification(false);
    }

    /** Returns when the slot's operation has completed, in whichever way. */
    void await(Slot slot) throws IOException {
        long spinUntil = System.nanoTime() + SPIN_NS;
        while (slot.isPending()) {
            if (System.nanoTime() < spinUntil) {
                if (polling.tryLock()) {
                    try {
                        drain();
                    } finally {
                        polling.unlock();
                    }
                }
                Thread.onSpinWait();
            } else {
                polling.lock();
                try {
                    sleep(slot);
                } finally {
                    polling.unlock();
                }
            }
        }
    }

    /** With the lock. Asks to be woken first and looks after that, so that nothing comes unseen in between. */
    private void sleep(Slot slot) throws IOException {
        notify.execute();
        drain();
        if (!slot.isPending()) {
            return;
        }
        if (channel.getCqEvent(queue, SLEEP_MS)) {
            queue.ackEvents(1);
            drain();
        } else {
            look.run();
        }
    }

    private void drain() throws IOException {
        int count;
        do {
            count = poll.execute().getPolls();
            for (int i = 0; i < count; i++) {
                slots[(int) batch[i].getWr_id()].complete(batch[i].getStatus());
            }
        } while (count == BATCH);
    }
}
