package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCReqNotify;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Takes the completions of a queue and hands each to the slot whose number it carries. Whoever waits polls: first without a pause, as an
 * answer takes a few microseconds on hardware, then asleep until the device reports one. One thread polls at a time; the others sleep
 * until it has what they wait for, or leaves and wakes one of them to take over. Thread-safe; allocates nothing for an operation that
 * completes while it spins.
 */
final class Completions {
    /** Polls between two looks at the clock, which may cost more than they do. */
    private static final int POLLS_PER_LOOK = 16;

    /** How often who sleeps looks whether there is still somebody to answer. */
    private static final int SLEEP_MS = 200;

    /** Beyond what a peer that lives takes. A device's own retries end at about the same time, with the timeouts that librdmacm sets. */
    private static final long OVERDUE_MS = 15_000;

    /** Beyond that, for requests to be handed back when the queue pair has been ended. */
    private static final long HAND_BACK_MS = 5_000;

    private static final int BATCH = 16;

    private final Events events;
    private final Look look;
    private final int sleepMs;
    private final ReentrantLock polling = new ReentrantLock();
    /** Guarded by polling, as are the next two. */
    private final IbvWC[] batch;

    private final SVCPollCq poll;
    private final SVCReqNotify notify;
    private final Slot[] slots;
    private final Pace pace = new Pace();

    /** What is done from time to time when no completion comes. */
    interface Look {
        /** @param overdue whether the device must not be left to try any longer */
        void run(boolean overdue) throws IOException;
    }

    /** What the device reports when it was asked to. */
    interface Events {
        /** Takes one; false if none came in time. */
        boolean await(int timeoutMs) throws IOException;
    }

    static Completions of(IbvCQ queue, IbvCompChannel channel, Look look, Slot... slots) throws IOException {
        IbvWC[] batch = new IbvWC[BATCH];
        for (int i = 0; i < BATCH; i++) {
            batch[i] = new IbvWC();
        }
        Events events = timeoutMs -> {
            boolean came = channel.getCqEvent(queue, timeoutMs);
            if (came) {
                queue.ackEvents(1);
            }
            return came;
        };
        return new Completions(
                batch, queue.poll(batch, BATCH), queue.reqNotification(false), events, look, SLEEP_MS, slots);
    }

    /**
     * @param batch what {@code poll} fills
     * @param notify asks for one of the events
     */
    Completions(
            IbvWC[] batch, SVCPollCq poll, SVCReqNotify notify, Events events, Look look, int sleepMs, Slot... slots) {
        this.batch = batch;
        this.poll = poll;
        this.notify = notify;
        this.events = events;
        this.look = look;
        this.sleepMs = sleepMs;
        this.slots = slots;
    }

    /**
     * Returns when the slot's operation has completed, in whichever way.
     *
     * @throws UnreturnedException if it never did
     */
    void await(Slot slot) throws IOException {
        long beganNs = System.nanoTime();
        try {
            if (pace.isSpinningWorthwhile()) {
                spin(slot, beganNs);
            }
            if (slot.isPending()) {
                sleepUntilDone(slot, beganNs);
            }
        } finally {
            wakeAnother(); // also after spinning: who found it polling went to sleep
        }
        pace.took(System.nanoTime() - beganNs);
    }

    private void spin(Slot slot, long beganNs) throws IOException {
        do {
            for (int i = 0; i < POLLS_PER_LOOK && slot.isPending(); i++) {
                if (polling.tryLock()) {
                    try {
                        drain();
                    } finally {
                        polling.unlock();
                    }
                }
                Thread.onSpinWait();
            }
        } while (slot.isPending() && System.nanoTime() - beganNs < Pace.SPIN_NS);
    }

    private void sleepUntilDone(Slot slot, long beganNs) throws IOException {
        boolean interrupted = false;
        slot.sleeper(Thread.currentThread());
        try {
            while (slot.isPending()) {
                if (polling.tryLock()) {
                    try {
                        sleepForAll(slot);
                    } finally {
                        polling.unlock();
                    }
                } else {
                    LockSupport.parkNanos(this, TimeUnit.MILLISECONDS.toNanos(sleepMs));
                    interrupted |= Thread.interrupted(); // every operation ends
                }
                endIfOverdue(slot, beganNs);
            }
        } finally {
            slot.sleeper(null);
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** With the lock. Asks to be woken first and looks after that, so that nothing comes unseen in between. */
    private void sleepForAll(Slot slot) throws IOException {
        notify.execute();
        drain();
        if (!slot.isPending()) {
            return;
        }
        if (events.await(sleepMs)) {
            drain();
        } else {
            look.run(false);
        }
    }

    /** Somebody who waits must poll. Who cannot get the lock has said before that he sleeps, so he is found here. */
    private void wakeAnother() {
        for (Slot other : slots) {
            if (other.isPending() && other.wake()) {
                return;
            }
        }
    }

    private void endIfOverdue(Slot slot, long beganNs) throws IOException {
        long waitedMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - beganNs);
        if (waitedMs < OVERDUE_MS || !slot.isPending()) {
            return;
        }
        look.run(true);
        if (waitedMs > OVERDUE_MS + HAND_BACK_MS) {
            throw new UnreturnedException("the device has not handed a request back for " + waitedMs + " ms");
        }
    }

    private void drain() throws IOException {
        int count;
        do {
            count = poll.execute().getPolls();
            for (int i = 0; i < count; i++) {
                slots[(int) batch[i].getWr_id()].complete(batch[i].getStatus());
            }
        } while (count == batch.length);
    }
}
