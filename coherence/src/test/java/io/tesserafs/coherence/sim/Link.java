package io.tesserafs.coherence.sim;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A connection: messages of one direction arrive once each, in order, until it breaks. Then what is under way is lost both ways, but for what had arrived
 * and was not looked at yet.
 */
final class Link {
    private static final long RETRY_US = 5_000;

    private final World world;
    private final Machine node;
    private final Machine owner;
    private final Deque<Runnable> toNode = new ArrayDeque<>();
    private final Deque<Runnable> toOwner = new ArrayDeque<>();
    private long lastToNodeUs;
    private long lastToOwnerUs;
    boolean broken;

    Link(World world, Machine node, Machine owner) {
        this.world = world;
        this.node = node;
        this.owner = owner;
    }

    void toOwner(Runnable arrival) {
        if (!broken) {
            toOwner.add(arrival);
            lastToOwnerUs = Math.max(lastToOwnerUs, world.nowUs() + world.delayUs());
            world.schedule(lastToOwnerUs, owner, () -> deliver(toOwner, node, owner));
        }
    }

    void toNode(Runnable arrival) {
        if (!broken) {
            toNode.add(arrival);
            lastToNodeUs = Math.max(lastToNodeUs, world.nowUs() + world.delayUs());
            world.schedule(lastToNodeUs, node, () -> deliver(toNode, owner, node));
        }
    }

    private void deliver(Deque<Runnable> queue, Machine from, Machine to) {
        if (broken) {
            return;
        }
        if (world.isCut(from, to)) {
            world.schedule(world.nowUs() + RETRY_US, to, () -> deliver(queue, from, to));
            return;
        }
        queue.remove().run();
    }

    void breakOff() {
        if (broken) {
            return;
        }
        broken = true;
        arrivedAlready(toNode, node);
        arrivedAlready(toOwner, owner);
    }

    private void arrivedAlready(Deque<Runnable> queue, Machine at) {
        long us = world.nowUs();
        while (!queue.isEmpty() && world.random.nextInt(3) == 0) {
            us += world.random.nextInt(20_000);
            world.schedule(us, at, queue.remove());
        }
        queue.clear();
    }
}
