package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.PeerBricks;
import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.KillListener;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.Service;
import io.tesserafs.fabric.pmem.FileIdentity;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.shm.SharedPools;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;

/**
 * Bricks over TCP, both ways: exports this daemon's to its peers, and reaches theirs. Calls travel on the connection, one-sided
 * operations on its lanes. A peer's handles die with its connection.
 *
 * <p>One for each transport, made before that starts. Thread-safe.
 */
public final class TcpBricks implements PeerBricks, AutoCloseable {
    /** The number on the transport. */
    public static final int SERVICE = 1;

    /** Of handles that get remote keys in one call. */
    public static final int MAX_KEYS = BrickCodec.MAX_KEYS;

    /** A process that runs answers within a millisecond; who waits for one that does not has others waiting. */
    private static final long RELEASE_WAIT_MS = 2000;

    private final TcpTransport transport;
    private final ConcurrentMap<BrickId, LocalBrick> bricks = new ConcurrentHashMap<>();
    private final ConcurrentMap<Connection, PeerExports> exports = new ConcurrentHashMap<>();
    private final ConcurrentMap<Connection, RemotePeer> remotes = new ConcurrentHashMap<>();
    private final KillListener killListener = this::killed;
    private final Releases releases;
    private final SharedPools sharedPools = new SharedPools();
    private final Departing departing = new Departing();
    private final boolean sharesMemory;
    private volatile @Nullable KeyGiver keyGiver;

    /** Peers of the same host map each other's pools where they can. */
    public TcpBricks(TcpTransport transport) {
        this(transport, true, RELEASE_WAIT_MS);
    }

    /** Maps no pools, so that all bytes travel over sockets. */
    public static TcpBricks withoutSharedMemory(TcpTransport transport) {
        return new TcpBricks(transport, false, RELEASE_WAIT_MS);
    }

    TcpBricks(TcpTransport transport, boolean sharesMemory, long releaseWaitMs) {
        this.transport = transport;
        this.sharesMemory = sharesMemory;
        this.releases = new Releases(releaseWaitMs);
        transport.serve(SERVICE, new BrickService());
        transport.serveLanes((owner, wire) -> new LaneServer(exportsTo(owner), wire).run());
    }

    /** Lets peers use a brick. */
    public void export(LocalBrick brick) {
        if (bricks.putIfAbsent(brick.id(), brick) != null) {
            throw new IllegalStateException("brick " + brick.id() + " is exported already");
        }
        brick.addKillListener(killListener);
    }

    /** Peers cannot open the brick any more. Their handles die when it closes, of which they are told; only then is it forgotten. */
    public void withdraw(LocalBrick brick) {
        bricks.remove(brick.id(), brick);
    }

    @Override
    public BrickClient connect(Connection connection, BrickId brick, SessionId session) throws BrickException {
        RemotePeer peer = remotes.computeIfAbsent(
                connection, c -> new RemotePeer(transport, (TcpConnection) connection, departing));
        if (!connection.isOpen()) {
            remotes.remove(connection, peer); // its end may have been noticed before it was entered
            peer.end();
        }
        loseTheClosed();
        peer.succeed();
        RemoteBrick client = RemoteBrick.open(peer, brick, session);
        if (sharesMemory) {
            client.attach(sharedPools);
        }
        return client;
    }

    /** The key by which the brick of a peer knows a handle that this side's client mapped. */
    public static HandleKey key(BlockHandle handle) {
        return ((RemoteHandle) handle).key();
    }

    /** What the target gave for this side's device when it was mapped; null if nothing. */
    public static @Nullable RemoteKey remoteKey(BlockHandle handle) {
        return ((RemoteHandle) handle).remoteKey();
    }

    /**
     * As {@link BrickClient#mapAll}, of a client of this side.
     *
     * @param queuePair the first {@code keys} of the handles get a remote key for it, if the target can give one
     * @param keys at most {@link #MAX_KEYS}
     */
    public static List<Mapping> mapWithKeys(
            BrickClient client, Access access, int queuePair, int keys, List<BlockId> ids) throws BrickException {
        return ((RemoteBrick) client).mapAll(access, queuePair, keys, ids);
    }

    /** Before peers come. */
    public void giveKeysBy(KeyGiver giver) {
        keyGiver = giver;
    }

    /**
     * The handle of a brick of this process that a peer names by its key.
     *
     * @throws BrickException DEAD_HANDLE if that connection has no such handle, or another session has
     */
    public BlockHandle exported(Connection peer, HandleKey key, SessionId session) throws BrickException {
        return exportsTo(peer).handle(key, session);
    }

    /** Their end may not have been noticed yet by the threads that read them. */
    private void loseTheClosed() {
        remotes.forEach((connection, peer) -> {
            if (!connection.isOpen()) {
                peer.end();
            }
        });
    }

    private PeerExports exportsTo(Connection connection) {
        PeerExports peer = exports.computeIfAbsent(connection, c -> new PeerExports((TcpConnection) c, releases));
        if (!connection.isOpen()) {
            forget(connection);
        }
        return peer;
    }

    private void forget(Connection connection) {
        PeerExports peer = exports.get(connection);
        if (peer != null) {
            peer.end(() -> exports.remove(connection, peer));
        }
    }

    /** Peers are told. That they obey is seen to with every operation; only for who has the memory mapped it has to be waited. */
    private List<BlockHandle> killed(List<BlockHandle> dead) {
        for (PeerExports peer : exports.values()) {
            if (peer.killed(dead)) {
                Thread.startVirtualThread(peer::announce);
            }
        }
        return releases.await(dead);
    }

    private final class BrickService implements Service {
        @Override
        public ByteBuffer call(Connection from, ByteBuffer request) throws Exception {
            PeerExports peer = exportsTo(from);
            try {
                return carryOut(peer, BrickCodec.decode(request));
            } catch (BrickException e) {
                return BrickAnswers.failed(e);
            } catch (ProtocolException e) {
                throw new PeerException(PeerException.Reason.BAD_REQUEST, String.valueOf(e.getMessage()), e);
            } finally {
                peer.announce(); // before the answer: what the peer itself killed, it knows to be dead when it has that
            }
        }

        @Override
        public void notified(Connection from, ByteBuffer message) {
            try {
                HandleNotice notice = HandleNotice.decode(message);
                switch (notice.kind()) {
                    case KILLED -> {
                        RemotePeer peer = remotes.get(from);
                        if (peer != null) {
                            peer.killed(notice.keys());
                        }
                    }
                    case LET_GO -> releases.letGo(from, notice.keys());
                }
            } catch (ProtocolException e) {
                throw new IllegalArgumentException(e.getMessage(), e);
            }
        }

        @Override
        public void closed(Connection from) {
            forget(from);
            RemotePeer peer = remotes.remove(from);
            if (peer != null) {
                peer.end();
            }
        }
    }

    private ByteBuffer carryOut(PeerExports peer, BrickRequest request) throws IOException {
        switch (request) {
            case BrickRequest.Open r -> {
                LocalBrick brick = bricks.get(r.brick());
                if (brick == null) {
                    throw new BrickException(Reason.UNREACHABLE, "brick " + r.brick() + " is not here");
                }
                return BrickAnswers.described(peer.open(brick, r.session()), brick.info());
            }
            case BrickRequest.Forget r -> forgetLost(peer, r.connections());
            case BrickRequest.Close r -> peer.close(r.client());
            case BrickRequest.Describe r -> {
                return BrickAnswers.described(
                        r.client(), peer.client(r.client()).info());
            }
            case BrickRequest.Alloc r -> peer.client(r.client()).alloc(r.ids().toArray(BlockId[]::new));
            case BrickRequest.Free r -> peer.client(r.client()).free(r.ids().toArray(BlockId[]::new));
            case BrickRequest.Map r -> {
                List<MapAnswers.Outcome> outcomes = map(peer, r.client(), r.access(), r.blocks(), null);
                return MapAnswers.encode(withKeys(peer, r, outcomes));
            }
            case BrickRequest.MapShared r -> {
                HostProcess holder = peer.holder(r.client());
                return MapAnswers.encode(map(peer, r.client(), r.access(), r.blocks(), holder));
            }
            case BrickRequest.Attach r -> {
                return BrickAnswers.attached(attach(peer, r));
            }
            case BrickRequest.Unmap r -> peer.unmap(peer.client(r.client()), r.keys());
            case BrickRequest.ListIds r -> {
                int max = Math.min(r.max(), BrickCodec.MAX_IDS);
                return BrickAnswers.listed(peer.client(r.client()).list(r.from(), max));
            }
            case BrickRequest.Fence r -> peer.client(r.client()).fence(r.victim());
        }
        return BrickAnswers.done();
    }

    private static List<MapAnswers.Outcome> map(
            PeerExports peer, int number, Access access, List<BlockId> blocks, @Nullable HostProcess holder)
            throws IOException {
        BrickClient client = peer.client(number);
        List<MapAnswers.Outcome> outcomes = new ArrayList<>(blocks.size());
        for (Mapping mapping : client.mapAll(access, 0, blocks)) {
            try {
                BlockHandle handle = mapping.handle();
                outcomes.add(new MapAnswers.Made(LocalBrick.index(handle), peer.add(client, handle, holder), null));
            } catch (BrickException e) {
                outcomes.add(new MapAnswers.Refused(e.reason(), String.valueOf(e.getMessage())));
            }
        }
        return outcomes;
    }

    /** The same with the remote keys that the peer asked for. */
    private List<MapAnswers.Outcome> withKeys(
            PeerExports peer, BrickRequest.Map request, List<MapAnswers.Outcome> outcomes) throws ProtocolException {
        KeyGiver giver = keyGiver;
        if (giver == null || request.keys() == 0) {
            return outcomes;
        }
        SessionId session = peer.client(request.client()).session();
        for (int i = 0; i < request.keys(); i++) {
            if (outcomes.get(i) instanceof MapAnswers.Made made) {
                outcomes.set(i, withKey(giver, peer, request.queuePair(), session, made));
            }
        }
        return outcomes;
    }

    private static MapAnswers.Outcome withKey(
            KeyGiver giver, PeerExports peer, int queuePair, SessionId session, MapAnswers.Made made) {
        try {
            RemoteKey key = giver.give(peer.connection(), queuePair, session, peer.handle(made.key(), session));
            return new MapAnswers.Made(made.index(), made.key(), key);
        } catch (BrickException e) {
            return made; // it is dead already, of which the peer is told
        }
    }

    private void forgetLost(PeerExports successor, List<Ticket> tickets) throws InterruptedIOException {
        List<PeerExports> lost = exports.values().stream()
                .filter(other -> other.isPredecessor(successor, tickets))
                .toList();
        for (PeerExports other : lost) {
            other.succeeded();
            forget(other.connection());
        }
        releases.letGo(successor.connection().peer(), tickets);
        try {
            for (PeerExports other : lost) {
                other.awaitEnded();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while lost connections ended");
        }
    }

    private FileIdentity attach(PeerExports peer, BrickRequest.Attach request) throws IOException {
        LocalBrick brick = bricks.get(peer.client(request.client()).brick());
        if (brick == null || !request.process().isObservable()) {
            throw new BrickException(Reason.ACCESS, request.process() + " cannot be seen from the brick's process");
        }
        peer.attach(request.client(), request.process());
        return brick.pool().fileIdentity();
    }

    /** After the transport. */
    @Override
    public void close() {
        exports.keySet().forEach(this::forget);
        loseTheClosed();
        departing.awaitDone();
        sharedPools.close();
    }
}
