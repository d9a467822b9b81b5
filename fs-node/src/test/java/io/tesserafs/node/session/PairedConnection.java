package io.tesserafs.node.session;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.peer.Service;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Objects;

/** One end of a connection between two daemons that are both in this process. */
final class PairedConnection implements Connection {
    private final PeerId peer;
    private final Map<Integer, Service> services;
    private PairedConnection other;
    private volatile boolean open = true;
    private Runnable onClose = () -> {};

    private PairedConnection(PeerId peer, Map<Integer, Service> services) {
        this.peer = peer;
        this.services = services;
    }

    /** The end of node {@code a}; services by the side that offers them. */
    static PairedConnection between(int a, Map<Integer, Service> ofA, int b, Map<Integer, Service> ofB) {
        PairedConnection endOfA = new PairedConnection(new PeerId(b, 1), ofA);
        PairedConnection endOfB = new PairedConnection(new PeerId(a, 1), ofB);
        endOfA.other = endOfB;
        endOfB.other = endOfA;
        return endOfA;
    }

    @Override
    public Network network() {
        return Network.TCP;
    }

    @Override
    public PeerId peer() {
        return peer;
    }

    private static ByteBuffer copy(ByteBuffer message) {
        ByteBuffer copy = ByteBuffer.allocate(message.remaining()).order(ByteOrder.LITTLE_ENDIAN);
        return copy.put(message.duplicate()).flip();
    }

    private Service there(int service) throws PeerException {
        if (!open) {
            throw new PeerException(PeerException.Reason.UNREACHABLE, "closed");
        }
        return Objects.requireNonNull(other.services.get(service));
    }

    @Override
    public ByteBuffer call(int service, ByteBuffer request, long timeoutMs) throws PeerException {
        try {
            return copy(there(service).call(other, copy(request)));
        } catch (PeerException e) {
            throw e;
        } catch (Exception e) {
            throw new PeerException(PeerException.Reason.FAILED, String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public void send(int service, ByteBuffer message) throws PeerException {
        there(service).notified(other, copy(message));
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void onClose(Runnable action) {
        Runnable before = onClose;
        onClose = () -> {
            before.run();
            action.run();
        };
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            onClose.run();
            other.close();
        }
    }
}
