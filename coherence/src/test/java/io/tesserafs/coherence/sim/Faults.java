package io.tesserafs.coherence.sim;

import io.tesserafs.coherence.session.SessionTable.Session;
import java.util.List;
import java.util.Random;

/** What goes wrong in a run, up to a point in time. */
final class Faults {
    private static final int PAUSE_US = 120_000;
    /** Long enough for leases to end, and for owners to be deposed. */
    private static final int LONG_US = 700_000;

    private final World world;
    private final Random random;
    private final long untilUs;

    Faults(World world, long untilUs) {
        this.world = world;
        this.random = world.random;
        this.untilUs = untilUs;
    }

    void start() {
        world.schedule(world.nowUs() + random.nextInt(PAUSE_US), world.coordinator, this::next);
    }

    private void next() {
        if (world.nowUs() >= untilUs) {
            return;
        }
        happen();
        start();
    }

    private void happen() {
        Node node = world.nodes.get(random.nextInt(World.NODES));
        Owner owner = world.coordinator.owner();
        if (owner == null) {
            return;
        }
        switch (random.nextInt(9)) {
            case 0, 1 -> node.loseConnection();
            case 2 -> cut(node, owner);
            case 3 -> cut(random.nextBoolean() ? node : owner, random.nextBoolean() ? world.brick : world.coordinator);
            case 4 -> node.hangsUntilUs = world.nowUs() + duration();
            case 5 -> owner.hangsUntilUs = world.nowUs() + duration();
            case 6 -> {
                if (!node.crashed) {
                    node.crash(10_000 + random.nextInt(LONG_US));
                }
            }
            case 7 -> {
                if (random.nextBoolean()) {
                    owner.crashed = true;
                    owner.life++;
                }
            }
            default -> evictSomebody(owner);
        }
    }

    private void evictSomebody(Owner owner) {
        List<Session> sessions = List.copyOf(owner.sessions.all());
        if (!sessions.isEmpty() && !owner.crashed) {
            owner.soon(() ->
                    owner.evict(sessions.get(random.nextInt(sessions.size())).id()));
        }
    }

    private void cut(Machine a, Machine b) {
        int directions = 1 + random.nextInt(3);
        long forUs = duration();
        if ((directions & 1) != 0) {
            world.cut(a, b, forUs);
        }
        if ((directions & 2) != 0) {
            world.cut(b, a, forUs);
        }
    }

    /** Not beyond the time of faults, by much. */
    private long duration() {
        return 1000L + random.nextInt(random.nextBoolean() ? LONG_US : LONG_US / 10);
    }
}
