package io.tesserafs.node.session;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notifications for a peer, from threads that must not wait for the network: a virtual thread sends them, in order. A thread that may wait can send what is
 * there itself, so that it is ahead of what that thread sends next. Thread-safe.
 */
final class Outbox {
    /** A message to be. */
    interface Message {
        /** Called when it is about to be sent; null if there is nothing to say after all. */
        @Nullable
        ByteBuffer bytes();
    }

    private static final Logger LOG = LoggerFactory.getLogger(Outbox.class);

    /** Of a hundred bytes or two each. */
    private static final int MAX_BATCH = 1024;

    private final Connection connection;
    private final int service;
    private final Function<List<ByteBuffer>, ByteBuffer> together;
    private final Queue<Message> queue = new ConcurrentLinkedQueue<>();
    /** One at a time takes from the queue, and has sent it before the next does. */
    private final ReentrantLock sending = new ReentrantLock();

    private final Thread pump;
    private volatile boolean due;
    private volatile boolean stopped;

    /** @param together makes one message of several */
    Outbox(Connection connection, int service, Function<List<ByteBuffer>, ByteBuffer> together) {
        this.connection = connection;
        this.together = together;
        this.service = service;
        this.pump =
                Thread.ofVirtual().name("tessera-tokens-" + connection.peer()).unstarted(this::run);
        pump.start();
        connection.onClose(this::stop);
    }

    void add(ByteBuffer message) {
        queue.add(() -> message);
        if (!due) {
            due = true;
            LockSupport.unpark(pump);
        }
    }

    /** As {@link #add}, but the caller sees to it that another {@link #add} or {@link #sendBeforeNext} follows. */
    void addForLater(Message message) {
        queue.add(message);
    }

    /** What was added until now reaches the peer before anything that this thread sends from now on. */
    void sendBeforeNext() {
        if (!queue.isEmpty() || sending.isLocked()) {
            send();
        }
    }

    /** Nothing is sent any more. */
    void stop() {
        stopped = true;
        LockSupport.unpark(pump);
    }

    private void run() {
        while (!stopped) {
            if (due) {
                due = false;
                send();
            } else {
                LockSupport.park(this);
            }
        }
    }

    private List<ByteBuffer> batch() {
        List<ByteBuffer> batch = new ArrayList<>();
        Message next;
        while (batch.size() < MAX_BATCH && (next = queue.poll()) != null) {
            ByteBuffer bytes = next.bytes();
            if (bytes != null) {
                batch.add(bytes);
            }
        }
        return batch;
    }

    private void send() {
        sending.lock();
        try {
            while (!stopped && !queue.isEmpty()) {
                List<ByteBuffer> batch = batch();
                if (!batch.isEmpty()) {
                    connection.send(service, batch.size() == 1 ? batch.getFirst() : together.apply(batch));
                }
            }
        } catch (PeerException e) {
            stopped = true;
            LOG.debug("{}: {}", connection.peer(), e.getMessage());
        } finally {
            sending.unlock();
        }
    }
}
