package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one peer, by one connection, holds of our bricks. A handle is found only here, so that its key is worth nothing on another
 * connection. Ends with the connection. Thread-safe.
 */
final class PeerExports {
    private static final Logger LOG = LoggerFactory.getLogger(PeerExports.class);

    /** Sessions times bricks, with room. */
    private static final int MAX_CLIENTS = 4096;

    /** 2 TiB worth of blocks; a handle takes about 300 bytes. */
    private static final int MAX_HANDLES = 1 << 20;

    private final TcpConnection connection;
    private final AtomicInteger lastClient = new AtomicInteger();
    private final ConcurrentMap<Integer, BrickClient> clients = new ConcurrentHashMap<>();
    private final ConcurrentMap<HandleKey, Export> handles = new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<HandleKey> killed = new ConcurrentLinkedQueue<>();
    private final ReentrantLock announcing = new ReentrantLock();
    private final AtomicBoolean ending = new AtomicBoolean();
    private final CountDownLatch nothingLeft = new CountDownLatch(1);
    private volatile boolean succeeded;
    private volatile boolean ended;

    private final ConcurrentMap<Integer, HostProcess> attached = new ConcurrentHashMap<>();
    private final Releases releases;

    /** @param holder who has the block's memory mapped; null if nobody outside this process */
    private record Export(
            BlockHandle handle,
            BrickClient client,
            @Nullable HostProcess holder) {}

    PeerExports(TcpConnection connection, Releases releases) {
        this.connection = connection;
        this.releases = releases;
    }

    int open(LocalBrick brick, SessionId session) throws BrickException {
        if (clients.size() >= MAX_CLIENTS) {
            throw new BrickException(Reason.NO_SPACE, "more than " + MAX_CLIENTS + " clients of one peer");
        }
        BrickClient client = brick.connectPeer(session);
        int number = lastClient.incrementAndGet();
        clients.put(number, client);
        if (ended) {
            client.close();
        }
        return number;
    }

    BrickClient client(int number) throws ProtocolException {
        BrickClient client = clients.get(number);
        if (client == null) {
            throw new ProtocolException("no client " + number);
        }
        return client;
    }

    void close(int number) {
        BrickClient client = clients.remove(number);
        attached.remove(number);
        if (client != null) {
            handles.values().removeIf(e -> e.client.equals(client));
            releases.letGo(client); // which the peer does before it says so
            client.close();
        }
    }

    /** From now on the client may have handles whose memory it uses by itself. */
    void attach(int number, HostProcess process) {
        attached.put(number, process);
    }

    HostProcess holder(int number) throws ProtocolException {
        HostProcess process = attached.get(number);
        if (process == null) {
            throw new ProtocolException("client " + number + " has not attached to the pool");
        }
        return process;
    }

    HandleKey add(BrickClient client, BlockHandle handle, @Nullable HostProcess holder) throws BrickException {
        if (handles.size() >= MAX_HANDLES) {
            client.unmap(handle);
            throw new BrickException(Reason.NO_SPACE, "more than " + MAX_HANDLES + " handles of one peer");
        }
        HandleKey key = LocalBrick.key(handle);
        handles.put(key, new Export(handle, client, holder));
        if (!handle.alive()) {
            handles.remove(key); // by a call that did not find it here yet
            throw new BrickException(Reason.DEAD_HANDLE, handle + " died while it was made");
        }
        return key;
    }

    /** Who unmaps a block has let go of its memory; if the handle has just been killed by somebody else, that is all there is to say. */
    void unmap(BrickClient client, List<HandleKey> keys) {
        List<BlockHandle> mine = new ArrayList<>(keys.size());
        List<HandleKey> gone = new ArrayList<>(0);
        for (HandleKey key : keys) {
            Export export = handles.get(key);
            if (export != null && export.client.equals(client) && handles.remove(key, export)) {
                mine.add(export.handle);
            } else {
                gone.add(key);
            }
        }
        releases.letGo(connection, gone);
        client.unmapAll(mine);
    }

    BlockHandle handle(HandleKey key, SessionId session) throws BrickException {
        Export export = handles.get(key);
        if (export == null || !export.client.session().equals(session)) {
            throw new BrickException(Reason.DEAD_HANDLE, "no such handle");
        }
        return export.handle;
    }

    /** Notes that the peer is to be told, and what it has to answer. Returns false if none of them is its. */
    boolean killed(Collection<BlockHandle> dead) {
        boolean any = false;
        for (BlockHandle handle : dead) {
            HandleKey key = LocalBrick.key(handle);
            Export export = handles.get(key);
            if (export == null) {
                continue;
            }
            // Before it is removed: from then on the holder's UNMAP is its word, and must not come too early for this.
            if (export.holder != null) {
                expect(key, export.holder, export.client);
            }
            if (handles.remove(key, export)) {
                killed.add(key);
                any = true;
            } else {
                releases.letGo(connection, List.of(key)); // it was unmapped meanwhile
            }
        }
        return any;
    }

    private void expect(HandleKey key, HostProcess holder, BrickClient client) {
        releases.expect(key, holder, connection, client);
        if (succeeded) {
            releases.letGo(connection, List.of(key));
        }
    }

    TcpConnection connection() {
        return connection;
    }

    boolean isPredecessor(PeerExports successor, List<Ticket> tickets) {
        return connection.peer().equals(successor.connection.peer())
                && !connection.equals(successor.connection)
                && tickets.contains(connection.ticket());
    }

    /** The peer has lost this connection and let go of all it held by it. */
    void succeeded() {
        succeeded = true;
        connection.end("the peer made another in its place");
    }

    /** Tells the peer of what was killed; when it returns, all that was noted before has been sent. May block while the peer does not read. */
    void announce() {
        if (ended) {
            return;
        }
        announcing.lock();
        try {
            List<HandleKey> keys = new ArrayList<>();
            for (HandleKey key = killed.poll(); key != null; key = killed.poll()) {
                keys.add(key);
                if (keys.size() == HandleNotice.MAX_KEYS) {
                    send(keys);
                    keys.clear();
                }
            }
            if (!keys.isEmpty()) {
                send(keys);
            }
        } catch (PeerException e) {
            LOG.debug("{}: its handles died with it", connection, e);
        } finally {
            announcing.unlock();
        }
    }

    private void send(List<HandleKey> keys) throws PeerException {
        connection.send(TcpBricks.SERVICE, new HandleNotice(HandleNotice.Kind.KILLED, keys).encode());
    }

    void warn(String operation, BrickException e) {
        LOG.warn("{} for {} failed: {}", operation, connection, e.getMessage());
    }

    /** The peer holds nothing any more. The handles die on another thread: some may be in the middle of a flush. Idempotent. */
    void end(Runnable afterwards) {
        ended = true;
        if (ending.compareAndSet(false, true)) {
            Thread.startVirtualThread(() -> {
                try {
                    clients.values().forEach(BrickClient::close);
                } finally {
                    nothingLeft.countDown();
                    afterwards.run();
                }
            });
        }
    }

    /** After {@link #end}: returns when all handles are dead and no byte lands through them any more. */
    void awaitEnded() throws InterruptedException {
        nothingLeft.await();
    }
}
