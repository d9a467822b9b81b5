package io.tesserafs.coherence.sim;

import io.tesserafs.fabric.brick.SessionId;
import java.util.HashSet;
import java.util.Set;
import java.util.function.LongConsumer;

/** Holds the pages of all files. A page's content is the number of the write that landed last. */
final class Brick extends Machine {
    /** Answer to a session that was fenced. */
    static final long FENCED = -1;

    private final long[][] pages = new long[World.FILES][World.PAGES];
    private final Set<SessionId> fenced = new HashSet<>();
    private long writes;

    Brick(World world) {
        super(world, "brick");
    }

    void read(Node from, SessionId session, int file, int page, LongConsumer answer) {
        long value = fenced.contains(session) ? FENCED : pages[file][page];
        world.message(this, from, () -> answer.accept(value));
    }

    /** At this moment. */
    long[] content(int file) {
        return pages[file].clone();
    }

    void write(Node from, SessionId session, int file, int page, LongConsumer answer) {
        long value = fenced.contains(session) ? FENCED : ++writes;
        if (value != FENCED) {
            pages[file][page] = value;
            world.checkLanded(from, file, page);
        }
        world.message(this, from, () -> answer.accept(value));
    }

    void fence(Owner from, SessionId victim, Runnable done) {
        fenced.add(victim);
        world.message(this, from, done);
    }
}
