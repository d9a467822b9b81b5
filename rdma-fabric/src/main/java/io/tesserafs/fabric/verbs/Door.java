package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaEventChannel;
import io.tesserafs.fabric.verbs.ControlCodec.Ticket;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where peers connect their queue pairs. Lets in who shows a ticket that was given out on an authenticated connection, once. A thread of
 * its own takes the events. If the device is taken out, nobody can come any more until the daemon is started again: all that was opened of the
 * device is gone with it, of which the door is the least.
 */
final class Door implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Door.class);

    /** How soon the thread notices that it is to end. */
    private static final int LOOK_MS = 200;

    private static final int BACKLOG = 128;

    private final RdmaCore core;
    private final RdmaEventChannel events;
    private final RdmaCmId listening;
    private final InetSocketAddress address;
    private final ConcurrentMap<Ticket, Visitor> expected = new ConcurrentHashMap<>();
    /** What to do when the peer ends the connection. */
    private final ConcurrentMap<RdmaCmId, Runnable> watched = new ConcurrentHashMap<>();

    private final Thread thread;
    private volatile boolean closing;
    private volatile boolean lost;

    /** Whether the last look for an event failed. Of the thread. */
    private boolean failing;

    Door(RdmaCore core, InetAddress at) throws IOException {
        this.core = core;
        this.events = RdmaEventChannel.createEventChannel();
        this.listening = events.createId(RdmaCm.RDMA_PS_TCP);
        try {
            listening.bindAddr(new InetSocketAddress(at, 0));
            if (listening.getVerbs() == null) {
                throw new IOException(at + " is not an address of an RDMA device");
            }
            listening.listen(BACKLOG);
            this.address = (InetSocketAddress) listening.getSource();
        } catch (IOException e) {
            QueuePairs.all(listening::destroyId, events::destroyEventChannel);
            throw e;
        }
        this.thread = Thread.ofPlatform().daemon().name("tessera-rdma-door").start(this::run);
    }

    /** False if the device is gone: then nobody needs to be told to come. */
    boolean isOpen() {
        return !lost && !closing;
    }

    InetSocketAddress address() {
        return address;
    }

    IbvContext device() throws IOException {
        return listening.getVerbs();
    }

    /** What is to be connected by who shows the ticket. */
    interface Visitor {
        Ticket ticket();

        /** Returns false if it is not wanted any more; else the id is its own, whatever happens. On the door's thread. */
        boolean accept(RdmaCmId id) throws IOException;

        void close() throws IOException;
    }

    void expect(Visitor one) {
        expected.put(one.ticket(), one);
    }

    void forget(Visitor one) {
        expected.remove(one.ticket());
    }

    /** @param onDisconnect on the door's thread; must not block */
    void watch(RdmaCmId id, Runnable onDisconnect) {
        watched.put(id, onDisconnect);
    }

    void unwatch(RdmaCmId id) {
        watched.remove(id);
    }

    private void run() {
        while (!closing) {
            RdmaCmEvent event = next();
            if (event != null) {
                try {
                    take(event);
                } catch (IOException | RuntimeException e) {
                    LOG.warn("a peer's queue pair cannot be connected: {}", e.getMessage());
                }
            }
        }
    }

    /** Null if there is none. What fails again and again is said once, and not tried without a pause. */
    private @Nullable RdmaCmEvent next() {
        try {
            RdmaCmEvent event = events.getCmEvent(LOOK_MS);
            failing = false;
            return event;
        } catch (IOException | RuntimeException e) {
            if (!failing) {
                LOG.warn("peers cannot connect queue pairs at {} now: {}", address, e.getMessage());
            }
            failing = true;
            LockSupport.parkNanos(this, TimeUnit.MILLISECONDS.toNanos(LOOK_MS));
            return null;
        }
    }

    private void take(RdmaCmEvent event) throws IOException {
        CmNews news = CmNews.of(event.getEvent());
        RdmaCmId id = event.getConnIdPriv();
        byte[] privateData = core.privateData(event);
        event.ackEvent(); // first: an id is not destroyed before its events are acknowledged
        if (news == CmNews.REQUEST) {
            admit(id, privateData);
        } else if (news == CmNews.REMOVED && id.equals(listening)) {
            lost = true;
            LOG.warn(
                    "the RDMA device of {} is gone: peers go by TCP until it is back and this daemon is started again",
                    address);
        } else if (news.endsConnection()) {
            // Of a brick's queue pair nobody watches: that it broke is found by who uses it, and the peer's connection
            // ends it.
            Runnable action = watched.get(id);
            if (action != null) {
                action.run();
            }
        }
    }

    private void admit(RdmaCmId id, byte[] privateData) throws IOException {
        try {
            Visitor wanted = expected.remove(ControlCodec.takePrivateData(privateData));
            if (wanted != null) {
                try {
                    if (wanted.accept(id)) {
                        return;
                    }
                } catch (IOException e) {
                    wanted.close();
                    throw e;
                }
            }
        } catch (IllegalArgumentException e) {
            LOG.debug("somebody else connects: {}", e.getMessage());
        }
        LOG.warn("refused a queue pair without a valid ticket");
        QueuePairs.all(() -> core.reject(id, new byte[0]), id::destroyId);
    }

    /** After the queue pairs that came in here. */
    @Override
    public void close() throws IOException {
        closing = true;
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true; // it ends within LOOK_MS
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        QueuePairs.all(listening::destroyId, events::destroyEventChannel);
    }
}
