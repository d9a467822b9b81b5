package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCReqNotify;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** The completions of a target's own requests, of which one is under way at a time. Not thread-safe. */
final class WindowRequests {
    /** At once on hardware; the rest is for devices that are emulated, and busy. */
    private static final long SPIN_NS = 50_000;

    /** Such a request concerns this host's device alone. */
    private static final int TIMEOUT_MS = 10_000;

    private final IbvCompChannel channel;
    private final IbvCQ queue;
    private final SVCPollCq poll;
    private final SVCReqNotify notify;
    private final IbvWC[] one = {new IbvWC()};

    WindowRequests(IbvContext device) throws IOException {
        channel = device.createCompChannel();
        try {
            queue = device.createCQ(channel, 2, 0);
        } catch (IOException e) {
            QueuePairs.all(channel::destroyCompChannel);
            throw e;
        }
        poll = queue.poll(one, 1);
        notify = queue.reqNotification(false);
    }

    IbvCQ queue() {
        return queue;
    }

    /** Until the request that was posted has completed; fails if it did not do what it should. */
    void await() throws IOException {
        long beganNs = System.nanoTime();
        boolean done = false;
        while (!done && System.nanoTime() - beganNs < SPIN_NS) {
            done = poll.execute().getPolls() == 1;
            Thread.onSpinWait();
        }
        while (!done) {
            if (TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - beganNs) > TIMEOUT_MS) {
                throw new UnreturnedException("the device has not handed back a request of its own host");
            }
            notify.execute();
            done = poll.execute().getPolls() == 1;
            if (!done && channel.getCqEvent(queue, TIMEOUT_MS)) {
                queue.ackEvents(1);
            }
        }
        if (one[0].getStatus() != 0) {
            throw new QueuePairException(
                    "a request for a memory window: " + CompletionStatus.describe(one[0].getStatus()));
        }
    }

    /** After the queue pair. */
    void close() throws IOException {
        QueuePairs.all(queue::destroyCQ, channel::destroyCompChannel);
    }
}
