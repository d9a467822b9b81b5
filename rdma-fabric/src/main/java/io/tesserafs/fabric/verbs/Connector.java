package io.tesserafs.fabric.verbs;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmEvent.EventType;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaEventChannel;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.rdmacore.ConnectionParameters;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** The steps by which an initiator's queue pair is connected, by one thread; then, whether it still is. */
final class Connector {
    /** The kernel may notice the answer to its question for a neighbour only when this has passed (seen with Linux 6.1). */
    private static final int RESOLVE_MS = 500;

    private final long deadlineNs;
    private final RdmaEventChannel events;
    private final RdmaCmId id;

    /** Guarded by this. */
    private boolean disconnected;

    /** @param patienceMs for all of it */
    Connector(int patienceMs) throws IOException {
        deadlineNs = System.nanoTime() + patienceMs * 1_000_000L;
        events = RdmaEventChannel.createEventChannel();
        try {
            id = events.createId(RdmaCm.RDMA_PS_TCP);
        } catch (IOException e) {
            events.destroyEventChannel();
            throw e;
        }
    }

    RdmaCmId id() {
        return id;
    }

    /** @param from an address of the device to be used: with several on one network the kernel may choose another */
    void resolve(InetAddress from, InetSocketAddress to) throws IOException {
        InetSocketAddress source = new InetSocketAddress(from, 0);
        id.bindAddr(source); // DiSNI's own resolveAddr does not look at its source
        do {
            if (leftMs() == 0) {
                throw new IOException("no way from " + from + " to " + to);
            }
            id.resolveAddr(source, to, RESOLVE_MS);
        } while (!expect(EventType.RDMA_CM_EVENT_ADDR_RESOLVED, EventType.RDMA_CM_EVENT_ADDR_ERROR));
        id.resolveRoute(leftMs());
        if (!expect(EventType.RDMA_CM_EVENT_ROUTE_RESOLVED, EventType.RDMA_CM_EVENT_ROUTE_ERROR)) {
            throw new IOException("no route from " + from + " to " + to);
        }
    }

    private int leftMs() {
        return (int) Math.max(0, (deadlineNs - System.nanoTime()) / 1_000_000);
    }

    /** After the queue pair was made. */
    void connect(Offer offer) throws IOException {
        connect(offer, QueuePairs.parameters());
    }

    void connect(Offer offer, ConnectionParameters parameters) throws IOException {
        byte[] data = ControlCodec.privateData(offer.ticket());
        try (Arena arena = Arena.ofConfined()) {
            parameters.setPrivate_data(arena.allocateFrom(JAVA_BYTE, data).address());
            parameters.setPrivate_data_len((byte) data.length);
            id.connect(parameters);
        }
        if (!expect(EventType.RDMA_CM_EVENT_ESTABLISHED, EventType.RDMA_CM_EVENT_REJECTED)) {
            throw new IOException(offer.address() + " refused the queue pair");
        }
    }

    /** Returns false if the event was the other one. */
    @SuppressWarnings("EnumOrdinal") // as numbered by librdmacm
    private boolean expect(EventType wanted, EventType other) throws IOException {
        RdmaCmEvent event = events.getCmEvent(leftMs());
        if (event == null) {
            throw new IOException("no " + wanted + " in time");
        }
        int kind = event.getEvent();
        int status = event.getStatus();
        event.ackEvent();
        if (kind != wanted.ordinal() && kind != other.ordinal()) {
            throw new IOException("event " + kind + " (status " + status + ") instead of " + wanted);
        }
        return kind == wanted.ordinal();
    }

    /** Whether the connection has ended, be it that the peer ended it or that the device is gone. Does not wait. */
    synchronized boolean isDisconnected() throws IOException {
        RdmaCmEvent event;
        while (!disconnected && (event = events.getCmEvent(0)) != null) {
            disconnected = CmNews.of(event.getEvent()).endsConnection();
            event.ackEvent();
        }
        return disconnected;
    }

    /** After the queue pair and whatever it used. */
    void close() throws IOException {
        QueuePairs.all(id::destroyId, events::destroyEventChannel);
    }
}
