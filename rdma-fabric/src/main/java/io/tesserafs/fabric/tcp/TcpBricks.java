package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.KillListener;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.Service;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Bricks over TCP, both ways: exports this daemon's to its peers, and reaches theirs. Calls travel on the connection, one-sided
 * operations on its lanes. A peer's handles die with its connection.
 *
 * <p>One for each transport, made before that starts. Thread-safe.
 */
public final class TcpBricks implements AutoCloseable {
    /** The number on the transport. */
    public static final int SERVICE = 1;

    /** ALLOC and FREE wait for a device, which would hold up a carrier of virtual threads; as many as can be of use at one disk. */
    private static final int FLUSHING_THREADS = 8;

    private static final long IDLE_THREAD_MS = 10_000;

    private final TcpTransport transport;
    private final ConcurrentMap<BrickId, LocalBrick> bricks = new ConcurrentHashMap<>();
    private final ConcurrentMap<Connection, PeerExports> exports = new ConcurrentHashMap<>();
    private final ConcurrentMap<Connection, RemotePeer> remotes = new ConcurrentHashMap<>();
    private final KillListener killListener = this::announceKilled;
    private final ThreadPoolExecutor flushing = new ThreadPoolExecutor(
            FLUSHING_THREADS,
            FLUSHING_THREADS,
            IDLE_THREAD_MS,
            TimeUnit.MILLISECONDS,
            new LinkedBlockingQueue<>(), // bounded by the calls that peers may have under way
            Thread.ofPlatform().daemon().name("tessera-brick-call-", 0).factory());

    public TcpBricks(TcpTransport transport) {
        this.transport = transport;
        flushing.allowCoreThreadTimeOut(true);
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

    /**
     * Opens a session's calls to a brick at the other end of a connection that this daemon made.
     *
     * @throws BrickException UNREACHABLE if the peer does not answer or has no such brick, FENCED if the brick refuses the session
     */
    public BrickClient connect(Connection connection, BrickId brick, SessionId session) throws BrickException {
        RemotePeer peer =
                remotes.computeIfAbsent(connection, c -> new RemotePeer(transport, (TcpConnection) connection));
        if (!connection.isOpen()) {
            remotes.remove(connection, peer); // its end may have been noticed before it was entered
            peer.end();
        }
        return RemoteBrick.open(peer, brick, session);
    }

    private PeerExports exportsTo(Connection connection) {
        PeerExports peer = exports.computeIfAbsent(connection, PeerExports::new);
        if (!connection.isOpen()) {
            forget(connection);
        }
        return peer;
    }

    private void forget(Connection connection) {
        PeerExports peer = exports.remove(connection);
        if (peer != null) {
            peer.end();
        }
    }

    /** Not waited for: peers are told; that they obey is seen to with every operation. */
    private void announceKilled(List<BlockHandle> dead) {
        for (PeerExports peer : exports.values()) {
            if (peer.killed(dead)) {
                Thread.startVirtualThread(peer::announce);
            }
        }
    }

    private final class BrickService implements Service {
        @Override
        public ByteBuffer call(Connection from, ByteBuffer request) throws Exception {
            PeerExports peer = exportsTo(from);
            try {
                return carryOut(peer, BrickCodec.decode(request));
            } catch (BrickException e) {
                return BrickCodec.failed(e);
            } catch (ProtocolException e) {
                throw new PeerException(PeerException.Reason.BAD_REQUEST, String.valueOf(e.getMessage()), e);
            } finally {
                peer.announce(); // before the answer: what the peer itself killed, it knows to be dead when it has that
            }
        }

        @Override
        public void notified(Connection from, ByteBuffer message) {
            RemotePeer peer = remotes.get(from);
            try {
                List<HandleKey> keys = KillNotice.decode(message);
                if (peer != null) {
                    peer.killed(keys);
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

    private ByteBuffer carryOut(PeerExports peer, BrickRequest request) throws Exception {
        switch (request) {
            case BrickRequest.Open r -> {
                LocalBrick brick = bricks.get(r.brick());
                if (brick == null) {
                    throw new BrickException(Reason.UNREACHABLE, "brick " + r.brick() + " is not here");
                }
                return BrickCodec.described(peer.open(brick, r.session()), brick.info());
            }
            case BrickRequest.Close r -> peer.close(r.client());
            case BrickRequest.Describe r -> {
                return BrickCodec.described(r.client(), peer.client(r.client()).info());
            }
            case BrickRequest.Alloc r -> {
                BrickClient client = peer.client(r.client());
                flushing(() -> {
                    client.alloc(r.ids().toArray(BlockId[]::new));
                    return null;
                });
            }
            case BrickRequest.Free r -> {
                BrickClient client = peer.client(r.client());
                flushing(() -> {
                    client.free(r.ids().toArray(BlockId[]::new));
                    return null;
                });
            }
            case BrickRequest.Map r -> {
                BrickClient client = peer.client(r.client());
                return BrickCodec.mapped(peer.add(client, client.map(r.block(), r.access())));
            }
            case BrickRequest.Unmap r -> peer.unmap(peer.client(r.client()), r.key());
            case BrickRequest.ListIds r -> {
                int max = Math.min(r.max(), BrickCodec.MAX_IDS);
                return BrickCodec.listed(peer.client(r.client()).list(r.from(), max));
            }
            case BrickRequest.Fence r -> peer.client(r.client()).fence(r.victim());
        }
        return BrickCodec.done();
    }

    private void flushing(Callable<?> call) throws Exception {
        try {
            flushing.submit(call).get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }

    /** After the transport. */
    @Override
    public void close() {
        exports.keySet().forEach(this::forget);
        flushing.shutdown();
    }
}
