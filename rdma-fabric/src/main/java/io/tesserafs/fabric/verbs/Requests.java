package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.OperationGate;
import java.io.IOException;
import java.util.Collections;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * The operations of a queue pair, each of which has a slot for itself. After the first failure all fail, as the device gives the queue pair
 * up too. The memory of an operation is its caller's again only when the device cannot touch it any more: if a request is still
 * due when the operation ends, for whatever reason, the queue pair goes first. Thread-safe.
 */
final class Requests {
    private final String queuePair;
    private final Runnable destroy;
    private final BlockingQueue<Slot> slots;
    private final OperationGate gate = new OperationGate();
    private volatile boolean broken;

    /**
     * @param queuePair its name, for messages
     * @param slots of operations under way at a time; more wait
     * @param destroy returns when the queue pair is destroyed; may be run by several
     */
    Requests(String queuePair, int slots, Runnable destroy) {
        this.queuePair = queuePair;
        this.destroy = destroy;
        this.slots = new ArrayBlockingQueue<>(slots);
    }

    /** Before the first operation. */
    void use(Slot... all) {
        Collections.addAll(slots, all);
    }

    /** Posts requests with the slot, one after the other, and returns when the last has completed. */
    interface Operation {
        void run(Slot slot) throws IOException;
    }

    void run(Operation operation) throws QueuePairException {
        if (!gate.enter()) {
            throw new QueuePairException(queuePair + " is closed");
        }
        boolean unreturned = false;
        try {
            Slot slot = takeSlot();
            boolean usable = !broken; // else a request of another operation may still be due, with this slot
            boolean done = false;
            try {
                if (!usable) {
                    throw new QueuePairException(queuePair + " failed");
                }
                operation.run(slot);
                done = true;
            } finally {
                if (!done) {
                    broken = true; // before somebody else has the slot
                }
                unreturned = usable && slot.isDue();
                slots.add(slot);
            }
        } catch (QueuePairException e) {
            throw e;
        } catch (IOException e) {
            throw new QueuePairException(queuePair + ": " + e.getMessage(), e);
        } finally {
            gate.exit();
            if (unreturned) {
                destroy.run();
            }
        }
    }

    private Slot takeSlot() {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return slots.take();
                } catch (InterruptedException e) {
                    interrupted = true; // slots come back: every operation completes
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    boolean isUsable() {
        return !broken && gate.alive();
    }

    /** The queue pair is known to be worth nothing any more. */
    void fail() {
        broken = true;
    }

    /** No operation begins from now on. Returns false if it was so before. */
    boolean kill() {
        broken = true;
        return gate.kill();
    }

    /** After {@link #kill}: until no operation is under way. */
    void awaitIdle() {
        gate.awaitIdle();
    }
}
