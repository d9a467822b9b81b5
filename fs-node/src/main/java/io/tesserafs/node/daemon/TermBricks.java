package io.tesserafs.node.daemon;

import io.tesserafs.fabric.Fabric;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.OwnerBricks;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.Supplier;

/** The bricks as an owner uses them during one term. Thread-safe. */
final class TermBricks implements OwnerBricks, AutoCloseable {
    private final Fabric fabric;
    private final BrickId local;
    private final SessionId session;
    private final Supplier<List<BrickId>> others;
    private final ConcurrentMap<BrickId, BrickClient> clients = new ConcurrentHashMap<>();
    private volatile boolean closed;

    TermBricks(Fabric fabric, BrickId local, SessionId session, Supplier<List<BrickId>> others) {
        this.fabric = fabric;
        this.local = local;
        this.session = session;
        this.others = others;
    }

    @Override
    public BrickId local() {
        return local;
    }

    @Override
    public BrickClient client(BrickId brick) throws BrickException {
        BrickClient known = clients.get(brick);
        if (known != null) {
            return known;
        }
        BrickClient made = fabric.connect(brick, session);
        BrickClient raced = clients.putIfAbsent(brick, made);
        if (raced != null) {
            made.close();
            return raced;
        }
        if (closed) {
            failed(made);
            throw new BrickException(BrickException.Reason.UNREACHABLE, "the term is over");
        }
        return made;
    }

    @Override
    public void failed(BrickClient client) {
        clients.remove(client.brick(), client);
        client.close();
    }

    @Override
    public List<BrickId> others() {
        return others.get();
    }

    @Override
    public void close() {
        closed = true;
        clients.values().forEach(this::failed);
    }
}
