package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.PeerBricks;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.Service;
import io.tesserafs.fabric.tcp.TcpBricks;
import io.tesserafs.fabric.tcp.TcpTransport;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.ControlCodec.Request;
import io.tesserafs.fabric.verbs.ControlCodec.Ticket;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Bricks over RDMA, both ways, on top of those over TCP, which keep the calls; and what carries those calls. Where a peer, a brick or a block cannot be reached by RDMA,
 * its bytes go as they would without.
 *
 * <p>Invariants of the target: a block can be reached by a key only while its handle is alive; before UNMAP, FREE or FENCE returns, the
 * keys of the handles it killed are dead, and after FENCE so are the session's queue pairs that had any. A key is good on the
 * queue pair it was made for only. All of a peer's queue pairs end with its connection.
 *
 * <p>One for each transport, made before that starts, closed before it. Thread-safe.
 */
public final class VerbsBricks implements PeerBricks, AutoCloseable {
    /** The number on the transport. */
    public static final int SERVICE = 5;

    private static final Logger LOG = LoggerFactory.getLogger(VerbsBricks.class);

    /** Of one peer; sessions times bricks, with room. */
    private static final int MAX_QUEUE_PAIRS = 1024;

    private final TcpBricks tcp;
    private final LocalDevice device;
    /** Null if no peer can be let in. */
    private final @Nullable Entrance entrance;

    private final VerbsWires wires;
    private final Traffic traffic = new Traffic();
    private final SecureRandom random = new SecureRandom();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final AtomicInteger lastNumber = new AtomicInteger();
    private final ConcurrentMap<BrickId, LocalBrick> bricks = new ConcurrentHashMap<>();
    private final ConcurrentMap<Connection, ConcurrentMap<Integer, TargetQueuePair>> peers = new ConcurrentHashMap<>();

    /**
     * @param address of the RDMA device to be used
     * @param calls whether calls and notifications go by RDMA too
     */
    public VerbsBricks(VerbsBinding binding, TcpTransport transport, TcpBricks tcp, InetAddress address, boolean calls)
            throws IOException {
        this(binding, transport, tcp, address, calls, KeyPolicy.BEST);
    }

    public VerbsBricks(
            VerbsBinding binding,
            TcpTransport transport,
            TcpBricks tcp,
            InetAddress address,
            boolean calls,
            KeyPolicy policy)
            throws IOException {
        this.tcp = tcp;
        RdmaCore core = binding.extension();
        if (core == null) {
            this.entrance = null;
            this.device = Anchor.openDevice(binding, address);
            this.wires = new VerbsWires(device, null);
        } else {
            Entrance opened = Entrance.open(core, address, policy);
            this.entrance = opened;
            this.device = openDevice(binding, opened, address);
            this.wires = new VerbsWires(device, opened.door());
        }
        transport.serve(SERVICE, new Control());
        if (calls) {
            transport.upgradeBy(wires);
        }
    }

    private static LocalDevice openDevice(VerbsBinding binding, Entrance entrance, InetAddress address)
            throws IOException {
        try {
            return new LocalDevice(binding, entrance.door().device(), address, () -> {});
        } catch (IOException e) {
            QueuePairs.all(entrance::close);
            throw e;
        }
    }

    LocalDevice device() {
        return device;
    }

    VerbsWires wires() {
        return wires;
    }

    /** How keys to this host's pools are taken back from peers. Empty if they get none. */
    public Optional<Revocation> revocation() {
        return entrance == null || bricks.isEmpty()
                ? Optional.empty()
                : Optional.of(entrance.memory().revocation());
    }

    /** Of this daemon as the initiator. */
    public Traffic traffic() {
        return traffic;
    }

    /** Lets peers use a brick by RDMA; after {@code TcpBricks.export}. Returns false, and says why, if its memory cannot be registered. */
    public boolean export(LocalBrick brick) {
        if (entrance == null) {
            LOG.warn(
                    "brick {}: peers reach it without RDMA, as DiSNI's library does not tell who connects; rdma-core's do",
                    brick.id());
            return false;
        }
        TargetMemory memory = entrance.memory();
        try {
            memory.prepareFor(brick.pool().block(0));
        } catch (IOException e) {
            LOG.warn(
                    "brick {}: peers reach it without RDMA, as its memory cannot be registered with the device ({}); "
                            + "a pool on a DAX file system needs a device with on-demand paging, or put it on device DAX",
                    brick.id(),
                    e.getMessage());
            return false;
        }
        brick.addKillListener(this::killed);
        bricks.put(brick.id(), brick);
        LOG.info(
                "brick {}: peers may reach it by RDMA, keys by {}; {}",
                brick.id(),
                memory.revocation().label(),
                brick.pool().isSafeOnceVisible()
                        ? "what has arrived needs no flush by this host"
                        : "what arrives may be in this host's caches, so a flush of theirs takes a call to it");
        return true;
    }

    /** Whether bytes that reached this host's memory or caches need nothing more of it. */
    private boolean isPersistentOnArrival() {
        return bricks.values().stream().allMatch(brick -> brick.pool().isSafeOnceVisible());
    }

    @Override
    public BrickClient connect(Connection connection, BrickId brick, SessionId session) throws BrickException {
        BrickClient client = tcp.connect(connection, brick, session);
        if (client.provider() == Provider.SHM) {
            return client;
        }
        boolean memoryOnly = client.info().persistence() == BrickInfo.Persistence.NONE;
        return new VerbsClient(client, memoryOnly, new VerbsSession(device, connection, session, traffic));
    }

    /** Returns those that a device may still reach: none, but for a failure. */
    private List<BlockHandle> killed(List<BlockHandle> dead) {
        List<BlockHandle> reachable = new ArrayList<>();
        for (BlockHandle handle : dead) {
            HandleKey key = LocalBrick.key(handle);
            peers.values()
                    .forEach(all -> all.values().forEach(one -> {
                        try {
                            if (isFenced(handle.brick(), one.session())) {
                                one.closeIfReaching(key);
                            } else {
                                one.invalidate(key);
                            }
                        } catch (IOException e) {
                            LOG.error("{} of {} cannot be taken back", handle, one, e);
                            reachable.add(handle);
                        }
                    }));
        }
        return reachable;
    }

    private boolean isFenced(BrickId brick, SessionId session) {
        LocalBrick local = bricks.get(brick);
        return local != null && local.isFenced(session);
    }

    private final class Control implements Service {
        @Override
        public ByteBuffer call(Connection from, ByteBuffer request) throws IOException {
            Request asked = ControlCodec.decode(request);
            return switch (asked.operation()) {
                case ControlCodec.OPEN -> open(from, asked);
                case ControlCodec.PREPARE -> prepare(from, asked);
                default -> {
                    end(from, asked.number());
                    yield ControlCodec.answer(ControlCodec.DONE);
                }
            };
        }

        @Override
        public void notified(Connection from, ByteBuffer message) {
            throw new IllegalArgumentException("this service takes no notifications");
        }

        @Override
        public void closed(Connection from) {
            Map<Integer, TargetQueuePair> gone = peers.remove(from);
            if (gone != null) {
                Thread.startVirtualThread(() -> gone.values().forEach(VerbsBricks.this::close));
            }
        }
    }

    private ByteBuffer open(Connection from, Request asked) throws IOException {
        end(from, asked.number());
        SessionId session = new SessionId(asked.rest().getLong());
        ConcurrentMap<Integer, TargetQueuePair> mine = peers.computeIfAbsent(from, c -> new ConcurrentHashMap<>());
        if (entrance == null || closed.get() || bricks.isEmpty() || mine.size() >= MAX_QUEUE_PAIRS) {
            return ControlCodec.answer(ControlCodec.UNSUITABLE);
        }
        Door door = entrance.door();
        TargetQueuePair one =
                new TargetQueuePair(entrance.memory(), lastNumber.incrementAndGet(), session, Ticket.random(random));
        mine.put(one.number(), one);
        door.expect(one);
        if (!from.isOpen() || closed.get()) {
            end(from, one.number()); // whoever ended all may have looked before it was entered
            peers.remove(from);
        }
        return ControlCodec.offered(new Offer(one.number(), one.ticket(), door.address(), !isPersistentOnArrival()));
    }

    private ByteBuffer prepare(Connection from, Request asked) {
        Map<Integer, TargetQueuePair> mine = peers.get(from);
        TargetQueuePair one = mine == null ? null : mine.get(asked.number());
        if (one == null) {
            return ControlCodec.answer(ControlCodec.BROKEN);
        }
        try {
            BlockHandle handle = tcp.exported(from, ControlCodec.takeKey(asked.rest()), one.session());
            if (!bricks.containsKey(handle.brick())) {
                return ControlCodec.answer(ControlCodec.UNSUITABLE);
            }
            return ControlCodec.prepared(one.prepare(handle));
        } catch (BrickException e) {
            return ControlCodec.answer(ControlCodec.DEAD);
        } catch (QueuePairException e) {
            LOG.debug("{}: {}", one, e.getMessage());
            return ControlCodec.answer(ControlCodec.BROKEN);
        } catch (IOException e) {
            LOG.warn("{}: {}", one, e.getMessage());
            return ControlCodec.answer(ControlCodec.UNSUITABLE);
        }
    }

    private void end(Connection from, int number) {
        Map<Integer, TargetQueuePair> mine = peers.get(from);
        TargetQueuePair one = mine == null ? null : mine.remove(number);
        if (one != null) {
            close(one);
        }
    }

    private void close(TargetQueuePair one) {
        if (entrance != null) {
            entrance.door().forget(one);
        }
        try {
            one.close();
        } catch (IOException e) {
            LOG.warn("{}: {}", one, e.getMessage());
        }
    }

    /** Before the transport. Idempotent. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        peers.values().forEach(all -> all.values().forEach(this::close));
        peers.clear();
        wires.close();
        try {
            QueuePairs.all(
                    () -> {
                        if (entrance != null) {
                            entrance.close();
                        }
                    },
                    device::release);
        } catch (IOException e) {
            LOG.warn("RDMA at {}: {}", device.address(), e.getMessage());
        }
    }
}
