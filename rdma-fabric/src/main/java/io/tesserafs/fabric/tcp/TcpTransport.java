package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.Service;
import io.tesserafs.fabric.peer.Transport;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import io.tesserafs.fabric.tcp.Handshake.Agreement;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Connections over TCP, which move to a better wire where both sides have one. See {@link Handshake} for who is let in and
 * {@link TcpConnection} for what runs where.
 */
public final class TcpTransport implements Transport {
    private static final Logger LOG = LoggerFactory.getLogger(TcpTransport.class);

    /** Peers that have not shown yet who they are; more at a time are strangers. */
    private static final int MAX_STRANGERS = 64;

    /** Of one connection. A peer uses as many as it has operations on blocks under way, up to a limit of its own below this. */
    private static final int MAX_LANES = 64;

    /** All nodes of a large cluster starting at once. */
    private static final int ACCEPT_BACKLOG = 256;

    /** After a failure to accept, say for want of descriptors, which is over sooner or later. */
    private static final long ACCEPT_RETRY_MS = 100;

    /** For what runs at the end of a connection, none of which may block. */
    private static final long CLOSE_WAIT_MS = 5000;

    private final TcpConfig config;
    private final Handshake handshake;
    private final Services services = new Services();
    private final Set<TcpConnection> connections = ConcurrentHashMap.newKeySet();
    /** Those that a peer made, by what its lanes show. */
    private final ConcurrentMap<Ticket, TcpConnection> byTicket = new ConcurrentHashMap<>();

    private final Semaphore strangersLeft = new Semaphore(MAX_STRANGERS);
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("tessera-tcp-timer").factory());
    /** As many threads as peers have calls under way, which their credits limit. */
    private final ExecutorService callers = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("tessera-call-", 0).factory());

    private final Reception reception;
    private final Upgrades upgrades;
    /** Of the timer's thread. */
    private final StandStill standStill;

    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile @Nullable LaneHandler laneHandler;
    private volatile @Nullable ServerSocketChannel listener;
    private volatile @Nullable Thread acceptor;

    public TcpTransport(TcpConfig config) {
        this.config = config;
        this.handshake = new Handshake(config, CallLimits.OURS);
        this.reception = new Reception(timer, config.connectTimeoutMs());
        this.upgrades = new Upgrades(config.connectTimeoutMs());
        this.standStill = new StandStill(TimeUnit.MILLISECONDS.toNanos(config.pingIntervalMs()), System.nanoTime());
        var _ = timer.scheduleWithFixedDelay(
                this::keepAlive, config.pingIntervalMs(), config.pingIntervalMs(), TimeUnit.MILLISECONDS);
    }

    @Override
    public void serve(int service, Service handler) {
        services.add(service, handler);
    }

    /** Calls of peers so far, of all services. */
    public long callsServed() {
        return services.callsServed();
    }

    @Override
    public String start() throws PeerException {
        try {
            ServerSocketChannel channel = ServerSocketChannel.open();
            listener = channel;
            channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            channel.bind(config.bind(), ACCEPT_BACKLOG);
            InetSocketAddress bound = (InetSocketAddress) channel.getLocalAddress();
            Endpoint endpoint = new Endpoint(advertisedHost(bound.getAddress()), bound.getPort());
            Thread thread =
                    Thread.ofPlatform().daemon().name("tessera-tcp-accept").unstarted(() -> acceptAll(channel));
            acceptor = thread;
            thread.start();
            LOG.info("{} listens at {}", config.self(), endpoint);
            return endpoint.toString();
        } catch (IOException e) {
            close();
            throw new PeerException(Reason.UNREACHABLE, "cannot listen at " + config.bind() + ": " + e.getMessage(), e);
        }
    }

    private String advertisedHost(InetAddress bound) throws UnknownHostException {
        if (config.advertisedHost() != null) {
            return config.advertisedHost();
        }
        return bound.isAnyLocalAddress() ? InetAddress.getLocalHost().getCanonicalHostName() : bound.getHostAddress();
    }

    private void acceptAll(ServerSocketChannel channel) {
        while (channel.isOpen()) {
            try {
                SocketChannel accepted = channel.accept();
                if (strangersLeft.tryAcquire()) {
                    // A socket that a virtual thread has read from costs a poll() with every read from then on.
                    Thread.ofPlatform().daemon().name("tessera-tcp-admit").start(() -> admit(accepted));
                } else {
                    LOG.warn("{}: too many at the door, turned away", accepted.getRemoteAddress());
                    accepted.close();
                }
            } catch (IOException e) {
                if (channel.isOpen()) {
                    LOG.warn("cannot accept a connection: {}", e.getMessage());
                    pause();
                }
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(ACCEPT_RETRY_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void admit(SocketChannel socket) {
        try {
            Wire wire = wire(socket);
            Guest guest = new Guest();
            boolean welcome = false;
            try {
                Agreement _ = reception.inTime(
                        wire, attempt -> handshake.respond(Line.over(wire), guest::refusal, upgrades.host(attempt)));
                welcome = true;
            } finally {
                guest.enter(welcome);
            }
        } catch (IOException e) {
            if (!closed.get()) {
                LOG.warn("a connection was not made: {}", e.getMessage());
            }
        } finally {
            strangersLeft.release();
        }
    }

    /** Who has shown who it is, and becomes a connection or a lane. */
    private final class Guest {
        private @Nullable TcpConnection connection;
        private @Nullable TcpConnection laneOwner;
        private @Nullable Wire lane;

        @Nullable
        String refusal(Agreement agreement) {
            if (agreement.purpose() == Purpose.CONNECTION) {
                // Known before the peer knows, who may come with a lane at once.
                connection = new TcpConnection(agreement, services, callers, null);
                register(connection);
                return null;
            }
            TcpConnection owner = byTicket.get(agreement.ticket());
            if (laneHandler == null || owner == null || !owner.peer().equals(agreement.peer())) {
                return "its lane belongs to no connection";
            }
            if (owner.lanes() >= MAX_LANES) {
                return "it has " + MAX_LANES + " lanes already";
            }
            if (agreement.line().reader().isAhead()
                    || !owner.attach(agreement.line().wire())) {
                return "its connection has ended";
            }
            laneOwner = owner;
            lane = agreement.line().wire();
            return null;
        }

        void enter(boolean welcome) {
            TcpConnection made = connection;
            if (made != null) {
                if (!welcome) {
                    made.end("the peer did not wait to be welcomed");
                }
                open(made);
            }
            TcpConnection owner = laneOwner;
            LaneHandler handler = laneHandler;
            Wire wire = lane;
            if (owner == null || wire == null) {
                return;
            }
            if (handler != null && welcome) {
                serveLane(handler, owner, wire);
            } else {
                owner.detach(wire);
            }
        }
    }

    private static void serveLane(LaneHandler handler, TcpConnection owner, Wire wire) {
        Thread.ofPlatform().daemon().name("tessera-lane-" + owner.peer()).start(() -> {
            try {
                handler.serve(owner, wire);
            } catch (IOException e) {
                LOG.debug("a lane of {} ends: {}", owner, e.getMessage());
            } finally {
                owner.detach(wire);
            }
        });
    }

    @Override
    public Connection connect(String endpoint) throws PeerException {
        Agreement agreement = dial(endpoint, Purpose.CONNECTION, Ticket.NONE);
        TcpConnection connection = new TcpConnection(agreement, services, callers, endpoint);
        register(connection);
        open(connection);
        return connection;
    }

    /** Another socket to the peer of a connection that was made from here; ends with it at the latest. */
    Wire connectLane(TcpConnection owner) throws PeerException {
        String endpoint = owner.endpoint();
        if (endpoint == null) {
            throw new PeerException(Reason.UNREACHABLE, owner + " was made by the peer; lanes start at its maker");
        }
        Agreement agreement = dial(endpoint, Purpose.LANE, owner.ticket());
        Wire wire = agreement.line().wire();
        if (!agreement.peer().equals(owner.peer()) || !owner.attach(wire)) {
            Reception.closeQuietly(wire);
            throw new PeerException(Reason.UNREACHABLE, owner + " has ended");
        }
        return wire;
    }

    /** Before the first connection. */
    void serveLanes(LaneHandler handler) {
        laneHandler = handler;
    }

    /** Serves a lane of a peer, on a thread of its own, until the lane ends. */
    interface LaneHandler {
        void serve(TcpConnection owner, Wire wire) throws IOException;
    }

    /** Lets connections move to a better wire; before the first one. */
    public void upgradeBy(WireUpgrade upgrade) {
        upgrades.use(upgrade);
    }

    private Agreement dial(String endpoint, Purpose purpose, Ticket ticket) throws PeerException {
        SocketChannel socket = null;
        try {
            InetSocketAddress address = Endpoint.parse(endpoint).resolve();
            socket = SocketChannel.open();
            socket.socket().connect(address, config.connectTimeoutMs());
            Wire wire = wire(socket);
            Agreement agreement = reception.inTime(
                    wire,
                    attempt -> handshake.initiate(
                            Line.over(wire),
                            purpose,
                            ticket,
                            purpose == Purpose.CONNECTION ? upgrades.follower(endpoint, attempt) : null));
            if (!agreement.line().wire().equals(wire)) {
                upgrades.worked(endpoint);
            }
            return agreement;
        } catch (PeerException e) {
            closeAfter(e, socket);
            throw e;
        } catch (IOException e) {
            Reason reason = e instanceof ProtocolException ? Reason.REFUSED : Reason.UNREACHABLE;
            PeerException failure = new PeerException(reason, "cannot connect to " + endpoint + ": " + describe(e), e);
            closeAfter(failure, socket);
            throw failure;
        }
    }

    private static String describe(IOException e) {
        return e.getMessage() == null ? e.toString() : e.getMessage();
    }

    private static void closeAfter(PeerException failure, @Nullable SocketChannel socket) {
        if (socket != null) {
            try {
                socket.close();
            } catch (IOException e) {
                failure.addSuppressed(e);
            }
        }
    }

    /** The place to put TLS. */
    private static Wire wire(SocketChannel socket) throws IOException {
        return new SocketWire(socket);
    }

    private void register(TcpConnection connection) {
        connections.add(connection);
        if (connection.endpoint() == null) {
            byTicket.put(connection.ticket(), connection);
        }
        connection.onClose(() -> {
            connections.remove(connection);
            byTicket.remove(connection.ticket(), connection);
        });
    }

    /** Also if it has ended already: its thread does what is to be done at the end. */
    private void open(TcpConnection connection) {
        LOG.info("{} is open", connection);
        connection.start();
        if (closed.get()) {
            connection.close();
        }
    }

    private void keepAlive() {
        long missedNs = standStill.lookNs(System.nanoTime());
        for (TcpConnection connection : connections) {
            connection.excuse(missedNs);
            connection.keepAlive(config.deadAfterMs());
        }
    }

    /** Calls of peers that are under way end by themselves, unanswered. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        timer.shutdownNow();
        try {
            ServerSocketChannel channel = listener;
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            LOG.warn("closing the listening socket: {}", e.getMessage());
        }
        reception.close();
        List<TcpConnection> all = List.copyOf(connections);
        all.forEach(TcpConnection::close);
        callers.shutdown();
        try {
            for (TcpConnection connection : all) {
                connection.awaitFinished(CLOSE_WAIT_MS);
            }
            Thread thread = acceptor;
            if (thread != null) {
                thread.join(CLOSE_WAIT_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
