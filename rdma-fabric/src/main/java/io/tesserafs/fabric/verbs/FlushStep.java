package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.verbs.InitiatorQueuePair.Push;
import java.util.ArrayList;
import java.util.List;

/** One of several flushes that are made together. */
record FlushStep(VerbsHandle handle, FlushWay way, Push request, FlushRange range) {

    /**
     * Posts the requests of all in rows, and then makes one call for those that take one.
     *
     * @param ranges through handles of one client
     * @param beneath the client that makes calls
     * @return false if one of them is not ready for that, or failed: each has to be tried by itself, as often as it takes
     */
    static boolean all(InitiatorQueuePair qp, List<FlushRange> ranges, BrickClient beneath) throws BrickException {
        List<FlushStep> steps = new ArrayList<>(ranges.size());
        boolean done = false;
        try {
            for (FlushRange range : ranges) {
                FlushStep step = ((VerbsHandle) range.handle()).enterFlush(qp, range);
                if (step == null) {
                    return false;
                }
                steps.add(step);
            }
            try {
                qp.push(steps.stream().map(FlushStep::request).toList());
            } catch (QueuePairException e) {
                fail(steps, e);
                return false;
            }
            done = true;
            beneath.flushAll(steps.stream()
                    .filter(step -> step.way == FlushWay.CALL)
                    .map(step -> step.handle.beneath(step.range))
                    .toList());
            return true;
        } finally {
            for (FlushStep step : steps) {
                step.handle.leaveFlush(step, done);
            }
        }
    }

    /** Once for all: it is one queue pair that failed. */
    private static void fail(List<FlushStep> steps, QueuePairException failure) {
        for (FlushStep step : steps) {
            if (step.way == FlushWay.DEVICE) {
                step.handle.pushFailed(step.way, failure);
                return;
            }
        }
    }
}
