package io.tesserafs.node.daemon;

import io.tesserafs.fabric.Fabric;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.data.BrickSet;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** The bricks a mount uses, under the session it has at the moment. Thread-safe. */
final class SessionBricks implements BrickSet, AutoCloseable {
    private final Fabric fabric;
    private final BrickId homeBrick;
    private final BooleanSupplier hasOthers;
    /** Guarded by this, as is the rest. */
    private final Map<BrickId, BrickClient> clients = new HashMap<>();

    private @Nullable SessionId session;

    SessionBricks(Fabric fabric, BrickId homeBrick, BooleanSupplier hasOthers) {
        this.fabric = fabric;
        this.homeBrick = homeBrick;
        this.hasOthers = hasOthers;
    }

    /** From now on, under this session; what was mapped under another is dead. */
    void begin(SessionId next) throws BrickException {
        close();
        BrickClient home = fabric.connect(homeBrick, next);
        synchronized (this) {
            session = next;
            clients.put(homeBrick, home);
        }
    }

    @Override
    public synchronized BrickClient home() {
        BrickClient home = clients.get(homeBrick);
        if (home == null) {
            throw new IllegalStateException("there is no session");
        }
        return home;
    }

    @Override
    public BrickClient client(BrickId brick) throws BrickException {
        SessionId current;
        synchronized (this) {
            BrickClient known = clients.get(brick);
            if (known != null) {
                return known;
            }
            current = session;
        }
        if (current == null) {
            throw new BrickException(BrickException.Reason.UNREACHABLE, "there is no session to reach bricks under");
        }
        BrickClient made = fabric.connect(brick, current);
        synchronized (this) {
            if (current.equals(session)) {
                BrickClient raced = clients.putIfAbsent(brick, made);
                if (raced == null) {
                    return made;
                }
            }
        }
        made.close();
        return client(brick);
    }

    @Override
    public void failed(BrickClient client) {
        synchronized (this) {
            clients.remove(client.brick(), client);
        }
        client.close();
    }

    @Override
    public boolean hasOthers() {
        return hasOthers.getAsBoolean();
    }

    @Override
    public void close() {
        List<BrickClient> open;
        synchronized (this) {
            open = new ArrayList<>(clients.values());
            clients.clear();
            session = null;
        }
        open.forEach(BrickClient::close);
    }
}
