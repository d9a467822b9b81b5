package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.peer.Service;
import io.tesserafs.fabric.tcp.FrameLayout.Header;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import io.tesserafs.fabric.tcp.Handshake.Agreement;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One wire between two daemons that have shown each other who they are.
 *
 * <p>Threads: one reads, for as long as the connection lives; it hands calls to a virtual thread each, answers to who waits, and
 * runs notifications itself. It never writes, nor waits for anything but the wire: if the readers of both ends waited for room to
 * write, neither would ever make some. Everybody else writes, whole frames under a lock. A second thread writes signs of life and
 * nothing else, so that they depend on nobody's pools.
 */
final class TcpConnection implements Connection {
    private static final Logger LOG = LoggerFactory.getLogger(TcpConnection.class);
    private static final ByteBuffer EMPTY = ByteBuffer.allocate(0).asReadOnlyBuffer();

    private final Wire wire;
    private final FrameReader reader;
    private final FrameWriter writer;
    private final Agreement agreement;
    private final Services services;
    private final @Nullable String endpoint;
    private final Set<Wire> lanes = ConcurrentHashMap.newKeySet();
    private final OutgoingCalls outgoing;
    private final IncomingCalls incoming;
    private final Thread readingThread;

    /** Set once, by whoever ends the connection first. */
    private final AtomicReference<@Nullable String> endReason = new AtomicReference<>();

    private final Thread livingThread;
    private final AtomicBoolean pingDue = new AtomicBoolean();
    private final AtomicBoolean pongDue = new AtomicBoolean();
    private final AtomicLong signOfLifeNs = new AtomicLong(System.nanoTime());

    private final Object actionsLock = new Object();
    /** Guarded by actionsLock; null when they have run. */
    private @Nullable List<Runnable> actions = new ArrayList<>();

    TcpConnection(Agreement agreement, Services services, Executor callers, @Nullable String endpoint) {
        this.wire = agreement.line().wire();
        this.reader = agreement.line().reader();
        this.writer = agreement.line().writer();
        this.agreement = agreement;
        this.services = services;
        this.endpoint = endpoint;
        this.outgoing = new OutgoingCalls(agreement.limits());
        this.incoming = new IncomingCalls(this, services, CallLimits.OURS, callers);
        this.readingThread = Thread.ofPlatform()
                .daemon()
                .name("tessera-peer-" + agreement.peer())
                .unstarted(this::readAll);
        this.livingThread = Thread.ofPlatform()
                .daemon()
                .name("tessera-alive-" + agreement.peer())
                .unstarted(this::sendSignsOfLife);
    }

    void start() {
        readingThread.start();
        livingThread.start();
    }

    @Override
    public PeerId peer() {
        return agreement.peer();
    }

    @Override
    public Network network() {
        return wire.network();
    }

    Ticket ticket() {
        return agreement.ticket();
    }

    /** Where the peer was found; null if it was the peer that made the connection. */
    @Nullable
    String endpoint() {
        return endpoint;
    }

    int lanes() {
        return lanes.size();
    }

    /** The lane will be closed with the connection. False if that has ended already. */
    boolean attach(Wire lane) {
        lanes.add(lane);
        if (isOpen()) {
            return true;
        }
        detach(lane);
        return false;
    }

    /** Closes the lane. */
    void detach(Wire lane) {
        lanes.remove(lane);
        Reception.closeQuietly(lane);
    }

    @Override
    public ByteBuffer call(int service, ByteBuffer request, long timeoutMs) throws PeerException {
        checkMessage(service, request);
        long deadlineNs = System.nanoTime() + timeoutMs * 1_000_000;
        OutgoingCalls.Call call = outgoing.begin(request.remaining(), deadlineNs);
        try {
            writer.write(FrameType.CALL, service, 0, call.id(), request);
        } catch (IOException e) {
            end("cannot be written to: " + e.getMessage());
            throw lost(e);
        }
        return outgoing.await(call, deadlineNs, this);
    }

    @Override
    public void send(int service, ByteBuffer message) throws PeerException {
        checkMessage(service, message);
        if (!isOpen()) {
            throw new PeerException(Reason.UNREACHABLE, this + " has ended: " + endReason.get());
        }
        try {
            writer.write(FrameType.NOTIFICATION, service, 0, 0, message);
        } catch (IOException e) {
            end("cannot be written to: " + e.getMessage());
            throw lost(e);
        }
    }

    private static void checkMessage(int service, ByteBuffer message) {
        Services.checkNumber(service);
        if (message.remaining() > MAX_MESSAGE_BYTES) {
            throw new IllegalArgumentException("a message of " + message.remaining() + " bytes is too long");
        }
    }

    private PeerException lost(IOException cause) {
        return new PeerException(Reason.LOST, this + " has ended: " + endReason.get(), cause);
    }

    void reply(long id, ByteBuffer answer) throws IOException {
        writer.write(FrameType.REPLY, 0, 0, id, answer);
    }

    void error(long id, Reason reason, String message) throws IOException {
        writer.write(FrameType.ERROR, 0, FrameLayout.status(reason), id, FrameLayout.text(message));
    }

    private void readAll() {
        try {
            while (true) {
                take(reader.next());
            }
        } catch (ProtocolException e) {
            end("the peer breaks the protocol: " + e.getMessage());
        } catch (IOException e) {
            end(e.getMessage() == null ? e.toString() : e.getMessage());
        } catch (RuntimeException | Error e) {
            LOG.error("{}: a notification could not be handled", this, e);
            end("a notification could not be handled: " + e);
        } finally {
            finish();
        }
    }

    private void take(Header header) throws IOException {
        switch (header.type()) {
            case CALL -> incoming.take(header, reader);
            case REPLY -> {
                signOfLifeNs.set(System.nanoTime());
                outgoing.answered(header.id(), reader.body(header));
            }
            case ERROR -> {
                signOfLifeNs.set(System.nanoTime());
                outgoing.failed(
                        header.id(), FrameLayout.reason(header.status()), FrameLayout.text(reader.body(header)));
            }
            case NOTIFICATION -> {
                Service service = services.get(header.service());
                if (service == null) {
                    throw new ProtocolException("notifies unknown service " + header.service());
                }
                service.notified(this, reader.body(header));
            }
            case PING -> sendSoon(pongDue);
            case PONG -> signOfLifeNs.set(System.nanoTime());
            case HELLO, CHALLENGE, PROOF, WELCOME, REFUSED, OFFER, CHOICE ->
                throw new ProtocolException("says " + header.type() + " on an open connection");
        }
    }

    /**
     * Sends a ping, or ends the connection if the peer gave no sign of life. Only what answers us is one: a peer that goes on talking
     * but does not listen any more is of no use. Does not block.
     */
    void keepAlive(int deadAfterMs) {
        long silentMs = (System.nanoTime() - signOfLifeNs.get()) / 1_000_000;
        if (silentMs > deadAfterMs) {
            end("the peer gave no sign of life for " + silentMs + " ms");
        } else {
            sendSoon(pingDue);
        }
    }

    /** When the peer last answered anything, by the monotonic clock. */
    long signOfLifeNs() {
        return signOfLifeNs.get();
    }

    /** This process could not have heard the peer for so long. */
    void excuse(long missedNs) {
        long heard = signOfLifeNs.get();
        long silentNs = System.nanoTime() - heard;
        signOfLifeNs.compareAndSet(heard, heard + Math.min(missedNs, silentNs)); // or else it answers just now
    }

    private void sendSoon(AtomicBoolean due) {
        due.set(true);
        LockSupport.unpark(livingThread);
    }

    private void sendSignsOfLife() {
        try {
            while (isOpen()) {
                if (pongDue.getAndSet(false)) {
                    writer.write(FrameType.PONG, 0, 0, 0, EMPTY);
                }
                if (pingDue.getAndSet(false)) {
                    writer.write(FrameType.PING, 0, 0, 0, EMPTY);
                }
                if (!pongDue.get() && !pingDue.get()) {
                    LockSupport.park(this);
                }
            }
        } catch (IOException e) {
            end("cannot be written to: " + e.getMessage());
        }
    }

    @Override
    public boolean isOpen() {
        return endReason.get() == null;
    }

    @Override
    public void onClose(Runnable action) {
        synchronized (actionsLock) {
            if (actions != null) {
                actions.add(action);
                return;
            }
        }
        action.run();
    }

    @Override
    public void close() {
        end("closed on this side");
    }

    /** Idempotent; the first reason counts. Wakes everyone who waits; the reading thread does the rest. */
    void end(String reason) {
        if (!endReason.compareAndSet(null, reason)) {
            return;
        }
        LOG.info("{} ends: {}", this, reason);
        Reception.closeQuietly(wire);
        lanes.forEach(this::detach);
        LockSupport.unpark(livingThread);
        outgoing.end(this + " has ended: " + reason);
    }

    /** On the reading thread, so after the last notification. */
    private void finish() {
        List<Runnable> toRun;
        try {
            services.closed(this);
        } finally {
            synchronized (actionsLock) {
                toRun = actions == null ? List.of() : actions;
                actions = null;
            }
        }
        for (Runnable action : toRun) {
            try {
                action.run();
            } catch (RuntimeException e) {
                LOG.error("{}: an action for its end failed", this, e);
            }
        }
    }

    /** Returns when the last notification and all actions have run; at once if called by one of these. */
    void awaitFinished(long timeoutMs) throws InterruptedException {
        if (!Thread.currentThread().equals(readingThread)) {
            readingThread.join(timeoutMs);
            livingThread.join(timeoutMs);
        }
    }

    @Override
    public String toString() {
        return "connection with " + agreement.peer() + " at " + wire.remote();
    }
}
