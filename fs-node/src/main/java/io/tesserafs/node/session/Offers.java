package io.tesserafs.node.session;

import io.tesserafs.coherence.token.LocalOwner;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.InodeAttr;
import java.util.List;

/**
 * Tokens that one session gets along with answers, where they are free: who looks a name up will want the inode's attributes next, and who makes a file is
 * the first to use it. Attributes that are read after the offer are good as long as the token stays with the node. Thread-safe.
 */
final class Offers {
    private final LocalOwner tokens;
    private final SessionId session;

    Offers(LocalOwner tokens, SessionId session) {
        this.tokens = tokens;
        this.session = session;
    }

    private static Resource guard(InodeAttr attr) {
        return attr.isDirectory() ? Resource.entries(attr.ino()) : Resource.attributes(attr.ino());
    }

    /** The right to remember an inode's attributes. The sequence to say along, 0 if it is not to be had. */
    long attributes(InodeAttr attr) {
        return tokens.offer(session, Mode.SHARED, guard(attr));
    }

    /** The same of many, each by itself. */
    long[] attributes(List<InodeAttr> all) {
        return tokens.offerEach(
                session, Mode.SHARED, all.stream().map(Offers::guard).toList());
    }

    /** The same if the session has it already. */
    long attributesHeld(InodeAttr attr) {
        return tokens.asOf(session, Mode.SHARED, guard(attr));
    }

    /** The session is about to tell the others that the link count has changed; where there are none, it need not. */
    void linkCount(long ino) {
        var _ = tokens.offer(session, Mode.EXCLUSIVE, Resource.attributes(ino));
    }

    /** The same of an inode of which something else has changed. */
    void changed(InodeAttr attr) {
        var _ = tokens.offer(session, Mode.EXCLUSIVE, guard(attr));
    }

    /** The same of a directory that is gone. */
    void removed(long dir) {
        var _ = tokens.offer(session, Mode.EXCLUSIVE, Resource.entries(dir));
    }

    /** All of what it has just made; or, where somebody was faster, the right to remember it. */
    long made(InodeAttr attr) {
        long sequence = attr.isRegular()
                ? tokens.offer(session, Mode.EXCLUSIVE, guard(attr), Resource.data(attr.ino()))
                : tokens.offer(session, Mode.EXCLUSIVE, guard(attr));
        return sequence != 0 ? sequence : attributes(attr);
    }

    /** All names of a directory, as a directory that is new. */
    boolean hasAllOf(InodeAttr dir) {
        return tokens.asOf(session, Mode.EXCLUSIVE, Resource.entries(dir.ino())) != 0;
    }

    /** Whether names of a directory that are read from now on may be remembered. The sequence to say along, or 0. */
    long names(long dir) {
        return tokens.asOf(session, Mode.SHARED, Resource.entries(dir));
    }
}
