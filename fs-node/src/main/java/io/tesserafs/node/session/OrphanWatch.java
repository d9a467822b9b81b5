package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.Orphans;
import io.tesserafs.node.namespace.VolumeOwner;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Ends inodes without names once no session refers to them. A session is told of each, and answers with {@code unreferenced} as soon as it has no use for
 * it; after a lost connection it is told again. Thread-safe; calls the owner and the sessions under no lock.
 */
final class OrphanWatch implements VolumeOwner.OrphanListener {
    /** Tells a session that an inode has no name any more. Must not block. */
    interface Teller {
        void tell(SessionId session, long ino);
    }

    /** A node that has not answered in that time uses the inode, or is evicted. */
    private static final long RECENT_NS = TimeUnit.SECONDS.toNanos(10);

    private final VolumeOwner owner;
    private final Supplier<Set<SessionId>> living;
    private final Teller teller;
    /** When other nodes were last asked about an inode. */
    private volatile long lastShared = System.nanoTime() - RECENT_NS;
    /** Guarded by itself. */
    private final Orphans orphans = new Orphans();

    /** @param living the sessions that have begun and are not over */
    OrphanWatch(VolumeOwner owner, Supplier<Set<SessionId>> living, Teller teller) {
        this.owner = owner;
        this.living = living;
        this.teller = teller;
    }

    /** Takes over the inodes that the last owner left without names. Before any session attaches. */
    void start() {
        for (long ino : owner.orphans()) {
            orphaned(ino, null);
        }
        owner.orphanListener(this);
    }

    @Override
    public void orphaned(long ino, @Nullable SessionId by) {
        Set<SessionId> sessions = living.get();
        boolean dies;
        synchronized (orphans) {
            dies = orphans.add(ino, sessions);
        }
        if (sessions.size() > 1) {
            lastShared = System.nanoTime();
        }
        Set<SessionId> now = living.get();
        for (SessionId session : sessions) {
            if (!now.contains(session)) {
                unreferenced(ino, session); // it ended before it was noted here
            } else if (!session.equals(by)) {
                teller.tell(session, ino); // who did it knows
            }
        }
        if (dies) {
            owner.unreferenced(ino);
        }
    }

    @Override
    public boolean mayDieSoon() {
        return System.nanoTime() - lastShared < RECENT_NS;
    }

    @Override
    public void named(long ino) {
        synchronized (orphans) {
            orphans.named(ino);
        }
    }

    /** The session has no use for the inode. */
    void unreferenced(long ino, SessionId by) {
        boolean dies;
        synchronized (orphans) {
            dies = orphans.letGo(ino, by);
        }
        if (dies) {
            owner.unreferenced(ino);
        }
    }

    void sessionEnded(SessionId session) {
        List<Long> dead;
        synchronized (orphans) {
            dead = orphans.sessionEnded(session);
        }
        dead.forEach(owner::unreferenced);
    }

    /** The session is attached anew: what it was told before may not have arrived. */
    void attached(SessionId session) {
        List<Long> held;
        synchronized (orphans) {
            held = new ArrayList<>(orphans.heldBy(session));
        }
        held.forEach(ino -> teller.tell(session, ino));
    }
}
