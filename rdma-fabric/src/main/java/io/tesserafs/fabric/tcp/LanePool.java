package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException;
import java.io.IOException;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Semaphore;

/** The lanes of one connection, made as they are needed and kept while it lives. Thread-safe. */
final class LanePool {
    /** Operations on blocks at a time per peer; more wait. Enough for a network's bandwidth, few enough as sockets and threads. */
    static final int MAX_LANES = 16;

    private final TcpTransport transport;
    private final TcpConnection connection;
    private final Semaphore free = new Semaphore(MAX_LANES);
    /** The one used last is taken first: it is the warmest. */
    private final ConcurrentLinkedDeque<Lane> idle = new ConcurrentLinkedDeque<>();

    LanePool(TcpTransport transport, TcpConnection connection) {
        this.transport = transport;
        this.connection = connection;
    }

    /** What to do with a lane. */
    interface Operation {
        int run(Lane lane) throws IOException;
    }

    /**
     * Runs it on a lane of its own. Waits for one if all are busy; each is for a bounded time, since the connection ends if the peer is
     * silent, and its lanes with it.
     *
     * @throws IOException the peer may or may not have carried it out
     */
    int run(Operation operation) throws IOException {
        // An interrupted thread would close the lane.
        boolean interrupted = Thread.interrupted();
        free.acquireUninterruptibly();
        try {
            Lane lane = idle.pollFirst();
            if (lane == null) {
                lane = new Lane(connect());
            }
            boolean whole = false;
            try {
                int status = operation.run(lane);
                whole = true;
                return status;
            } finally {
                if (whole) {
                    idle.addFirst(lane);
                } else {
                    connection.detach(lane.wire());
                }
            }
        } finally {
            free.release();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private Wire connect() throws PeerException {
        return transport.connectLane(connection);
    }
}
