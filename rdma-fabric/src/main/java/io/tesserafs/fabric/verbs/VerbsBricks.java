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
import io.tesserafs.fabric.pmem.Backing;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.tcp.TcpBricks;
import io.tesserafs.fabric.tcp.TcpTransport;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.ControlCodec.Outcome;
import io.tesserafs.fabric.verbs.ControlCodec.Request;
import io.tesserafs.fabric.verbs.ControlCodec.Ticket;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import io.tesserafs.fabric.verbs.rdmacore.VerbsException;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
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
    private final TargetQueuePairs queuePairs;

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
        this.queuePairs = new TargetQueuePairs(this::forget, this::isFenced);
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
        tcp.giveKeysBy(this::give);
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
            memory.prepareFor(brick.pool().block(0), brick.pool().backing() == Backing.DAX);
        } catch (IOException e) {
            LOG.warn(
                    "brick {}: peers reach it without RDMA, as its memory cannot be registered with the device ({}){}",
                    brick.id(),
                    e.getMessage(),
                    remedy(e));
            return false;
        }
        brick.addKillListener(queuePairs);
        bricks.put(brick.id(), brick);
        LOG.info(
                "brick {}: peers may reach it by RDMA, keys by {}; {}",
                brick.id(),
                memory.revocation().label(),
                flushWays(brick.pool(), memory.flushes()));
        return true;
    }

    private static String remedy(IOException e) {
        return VerbsException.isOutOfMemory(e)
                ? ""
                : "; a pool on a DAX file system needs a device with on-demand paging, or put it on device DAX";
    }

    private static String flushWays(Pool pool, boolean byDevice) {
        String otherwise = pool.isSafeOnceVisible()
                ? "what has arrived needs no flush by this host"
                : "what arrives may be in this host's caches, so a flush of theirs takes a call to it";
        return byDevice
                ? "a flush of theirs is a FLUSH of the devices where theirs does that too; else " + otherwise
                : otherwise;
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

    private void forget(TargetQueuePair one) {
        if (entrance != null) {
            entrance.door().forget(one);
        }
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
                    queuePairs.end(from, asked.number());
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
            queuePairs.endAll(from);
        }
    }

    private ByteBuffer open(Connection from, Request asked) throws IOException {
        queuePairs.end(from, asked.number());
        SessionId session = new SessionId(asked.rest().getLong());
        if (entrance == null || !entrance.door().isOpen() || closed.get() || bricks.isEmpty()) {
            return ControlCodec.answer(ControlCodec.UNSUITABLE);
        }
        Door door = entrance.door();
        TargetQueuePair one =
                new TargetQueuePair(entrance.memory(), lastNumber.incrementAndGet(), session, Ticket.random(random));
        if (!queuePairs.add(from, one)) {
            return ControlCodec.answer(ControlCodec.UNSUITABLE);
        }
        door.expect(one);
        if (!from.isOpen() || closed.get()) {
            queuePairs.end(from, one.number()); // whoever ended all may have looked before it was entered
        }
        return ControlCodec.offered(new Offer(
                one.number(),
                one.ticket(),
                door.address(),
                !isPersistentOnArrival(),
                entrance.memory().flushes()));
    }

    private ByteBuffer prepare(Connection from, Request asked) {
        TargetQueuePair one = queuePairs.find(from, asked.number());
        if (one == null) {
            return ControlCodec.answer(ControlCodec.BROKEN);
        }
        List<Outcome> outcomes = new ArrayList<>();
        for (HandleKey key : ControlCodec.takeKeys(asked.rest())) {
            Outcome outcome = prepare(from, one, key);
            if (outcome.status() == ControlCodec.BROKEN) {
                return ControlCodec.answer(ControlCodec.BROKEN);
            }
            outcomes.add(outcome);
        }
        return ControlCodec.prepared(outcomes);
    }

    private Outcome prepare(Connection from, TargetQueuePair one, HandleKey key) {
        try {
            return prepare(one, tcp.exported(from, key, one.session()));
        } catch (BrickException e) {
            return Outcome.failed(ControlCodec.DEAD);
        }
    }

    private Outcome prepare(TargetQueuePair one, BlockHandle handle) {
        if (!bricks.containsKey(handle.brick())) {
            return Outcome.failed(ControlCodec.UNSUITABLE);
        }
        try {
            return Outcome.of(one.prepare(handle));
        } catch (BrickException e) {
            return Outcome.failed(ControlCodec.DEAD);
        } catch (QueuePairException e) {
            LOG.debug("{}: {}", one, e.getMessage());
            return Outcome.failed(ControlCodec.BROKEN);
        } catch (IOException e) {
            if (one.isFirstComplaint()) {
                LOG.warn("{} gets no key, so its bytes go by TCP: {}", one, e.getMessage());
            }
            return Outcome.failed(ControlCodec.UNSUITABLE);
        }
    }

    /** With the answer to MAP. A queue pair of another session gets none. */
    private @Nullable RemoteKey give(Connection from, int queuePair, SessionId session, BlockHandle handle) {
        TargetQueuePair one = queuePairs.find(from, queuePair);
        if (one == null || !one.session().equals(session)) {
            return null;
        }
        Outcome outcome = prepare(one, handle);
        return outcome.status() == ControlCodec.DONE ? new RemoteKey(outcome.address(), outcome.key()) : null;
    }

    /** Before the transport. Idempotent. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        queuePairs.close();
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
