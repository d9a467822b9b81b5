package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which sessions may still refer to inodes that have no name: open there, or in the kernel. Nobody can come to such an inode by name any more, so the
 * sessions that lived when the last name went are all that ever will; each is asked, and says once that it is done with the inode. The inode dies
 * with the last of them. Not thread-safe.
 */
public final class Orphans {
    private final Map<Long, Set<SessionId>> holders = new HashMap<>();

    /**
     * An inode has lost its last name, or was made without one, or was found so by a new owner.
     *
     * @param sessions that live now
     * @return whether it dies at once, because there are none
     */
    public boolean add(long ino, Collection<SessionId> sessions) {
        if (sessions.isEmpty()) {
            return true;
        }
        holders.put(ino, new HashSet<>(sessions));
        return false;
    }

    /** The session does not refer to the inode any more. Returns whether it dies; false also if it is none of these. */
    public boolean letGo(long ino, SessionId session) {
        Set<SessionId> left = holders.get(ino);
        if (left == null || !left.remove(session) || !left.isEmpty()) {
            return false;
        }
        holders.remove(ino);
        return true;
    }

    /** The inode has a name again. */
    public void named(long ino) {
        holders.remove(ino);
    }

    /** The session refers to nothing any more. Returns the inodes that die. */
    public List<Long> sessionEnded(SessionId session) {
        List<Long> dead = new ArrayList<>(0);
        for (long ino : heldBy(session)) {
            if (letGo(ino, session)) {
                dead.add(ino);
            }
        }
        return dead;
    }

    /** What the session was asked about and has not answered, or may not have heard. */
    public List<Long> heldBy(SessionId session) {
        List<Long> held = new ArrayList<>(0);
        holders.forEach((ino, sessions) -> {
            if (sessions.contains(session)) {
                held.add(ino);
            }
        });
        return held;
    }

    public int count() {
        return holders.size();
    }
}
