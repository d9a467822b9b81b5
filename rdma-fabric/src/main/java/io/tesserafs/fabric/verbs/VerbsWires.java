package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.Wire;
import io.tesserafs.fabric.tcp.WireUpgrade;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.ControlCodec.Ticket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The wires of a daemon's connections that go over queue pairs. Thread-safe. */
final class VerbsWires implements WireUpgrade, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VerbsWires.class);

    /** Of all peers together, on either side; more stay on their sockets. Bounds the memory that is pinned, 192 MiB. */
    private static final int MAX_WIRES = 256;

    /** For threads to notice that their wire is closed, which wakes them. */
    private static final long RELEASE_WAIT_MS = 5000;

    private final LocalDevice device;
    private final @Nullable Door door;
    private final SecureRandom random = new SecureRandom();
    private final Set<VerbsWire> wires = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /** @param door null if no peer can be let in */
    VerbsWires(LocalDevice device, @Nullable Door door) {
        this.device = device;
        this.door = door;
    }

    @Override
    public @Nullable Invitation invite(PeerId peer) {
        Door at = door;
        if (at == null || !at.isOpen() || closed || wires.size() >= MAX_WIRES) {
            return null;
        }
        Guest guest = new Guest(at, peer, Ticket.random(random));
        at.expect(guest);
        return guest;
    }

    @Override
    public Wire follow(ByteBuffer offer, int timeoutMs) throws IOException {
        if (offer.remaining() < ControlCodec.HEADER_BYTES || ControlCodec.takeStatus(offer) != ControlCodec.DONE) {
            throw new IOException("the peer offers something else");
        }
        Offer at = ControlCodec.takeOffer(offer);
        if (closed || wires.size() >= MAX_WIRES) {
            throw new IOException(closed ? "RDMA is not used any more" : "there are " + MAX_WIRES + " already");
        }
        Connector connector = new Connector(timeoutMs);
        try {
            connector.resolve(device.address(), at.address());
        } catch (IOException e) {
            QueuePairs.all(connector::close);
            throw e;
        }
        Initiated lifetime = new Initiated(connector);
        VerbsWire wire = new VerbsWire(device, connector.id(), lifetime, at.address() + " by RDMA");
        lifetime.wire = wire;
        wires.add(wire);
        try {
            connector.connect(at, VerbsWire.parameters());
        } catch (IOException e) {
            wire.close();
            throw e;
        }
        closeIfLate(wire);
        return wire;
    }

    /** Whoever closed all may have looked before it was entered. */
    private void closeIfLate(VerbsWire wire) {
        if (closed) {
            wire.close();
        }
    }

    private void forget(@Nullable VerbsWire wire) {
        if (wire != null) {
            wires.remove(wire);
        }
    }

    private final class Initiated implements VerbsWire.Lifetime {
        private final Connector connector;
        private @Nullable VerbsWire wire;

        Initiated(Connector connector) {
            this.connector = connector;
        }

        @Override
        public boolean isDisconnected() throws IOException {
            return connector.isDisconnected();
        }

        @Override
        public void close() throws IOException {
            try {
                connector.close();
            } finally {
                forget(wire);
            }
        }
    }

    /** A peer that may come once. */
    private final class Guest implements Invitation, Door.Visitor {
        private final Door door;
        private final PeerId peer;
        private final Ticket ticket;

        /** Guarded by this, as is the next. */
        private @Nullable VerbsWire wire;

        private boolean over;

        Guest(Door door, PeerId peer, Ticket ticket) {
            this.door = door;
            this.peer = peer;
            this.ticket = ticket;
        }

        @Override
        public Ticket ticket() {
            return ticket;
        }

        @Override
        public ByteBuffer offer() {
            return ControlCodec.offered(new Offer(0, ticket, door.address(), false, false));
        }

        @Override
        public synchronized boolean accept(RdmaCmId id) throws IOException {
            if (over || wire != null) {
                return false;
            }
            Accepted lifetime = new Accepted(door, id);
            VerbsWire fresh = new VerbsWire(device, id, lifetime, id.getDestination() + " by RDMA");
            lifetime.wire = fresh;
            wire = fresh;
            wires.add(fresh);
            door.watch(id, fresh::disconnected);
            id.accept(VerbsWire.parameters());
            closeIfLate(fresh);
            LOG.debug("{} has connected a queue pair for its calls", peer);
            return true;
        }

        @Override
        public synchronized @Nullable Wire take() {
            VerbsWire taken = over ? null : wire;
            wire = null;
            over = true;
            return taken;
        }

        @Override
        public void close() {
            door.forget(this);
            VerbsWire left;
            synchronized (this) {
                left = over ? null : wire;
                over = true;
                wire = null;
            }
            if (left != null) {
                left.close();
            }
        }
    }

    private final class Accepted implements VerbsWire.Lifetime {
        private final Door door;
        private final RdmaCmId id;
        private @Nullable VerbsWire wire;

        Accepted(Door door, RdmaCmId id) {
            this.door = door;
            this.id = id;
        }

        /** The door says so. */
        @Override
        public boolean isDisconnected() {
            return false;
        }

        @Override
        public void close() throws IOException {
            try {
                id.destroyId();
                door.unwatch(id);
            } finally {
                forget(wire);
            }
        }
    }

    /** Ends all, and with them their connections. Before the door and the device. */
    @Override
    public void close() {
        closed = true;
        try {
            for (VerbsWire wire : wires) {
                wire.close();
                if (!wire.awaitReleased(RELEASE_WAIT_MS)) {
                    LOG.warn("{} is still in use", wire);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
