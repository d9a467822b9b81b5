package io.tesserafs.coherence.sim;

import io.tesserafs.fabric.brick.SessionId;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Elects owners, counts epochs, keeps the record of sessions. Neither crashes nor hangs; it can be cut off. */
final class Coordinator extends Machine {
    /** An owner that is not heard of for so long is deposed. */
    static final long PATIENCE_US = 400_000;

    private static final long CHECK_US = 20_000;

    private final Map<SessionId, Integer> sessions = new HashMap<>();
    private @Nullable Owner owner;
    private long epoch;
    private long heardAtNs;

    Coordinator(World world) {
        super(world, "coordinator");
    }

    void start() {
        check();
    }

    @Nullable
    Owner owner() {
        return owner;
    }

    private void check() {
        Owner current = owner;
        if (current == null || nowNs() - heardAtNs > PATIENCE_US * 1000) {
            heardAtNs = nowNs();
            Owner next = new Owner(world, ++epoch, Map.copyOf(sessions));
            owner = next;
            world.elected(next);
        }
        after(CHECK_US, this::check);
    }

    /** The answer says whether it is the owner still. */
    void ping(Owner from, Consumer<Boolean> answer) {
        if (from == owner) {
            heardAtNs = nowNs();
        }
        boolean still = from == owner;
        world.message(this, from, () -> answer.accept(still));
    }

    void find(Machine from, Consumer<@Nullable Owner> answer) {
        Owner current = owner;
        world.message(this, from, () -> answer.accept(current));
    }

    /** Not answered if the owner is one no more. */
    void record(Owner from, SessionId session, int node, Runnable done) {
        if (from == owner) {
            sessions.put(session, node);
            world.message(this, from, done);
        }
    }

    void forget(Owner from, SessionId session) {
        if (from == owner) {
            sessions.remove(session);
        }
    }
}
