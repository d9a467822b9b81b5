package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.token.OwnerLink;
import java.io.IOException;

/** A node's end of a session, as the volume's owner reaches it. Thread-safe. */
public interface NodeEnd {
    /** Takes token messages; must not block. */
    OwnerLink.Receiver tokens();

    /** Before an answer: the node has the messages that {@link #tokens} took until now before what is sent next. May block. */
    default void sendTokens() {}

    /**
     * Tells the node whether it is alone with the volume. When it returns after {@code false}, the node does not rely on that any more. May block.
     *
     * @throws IOException the node does not answer
     */
    void alone(boolean alone) throws IOException;

    /** A lock request of the node that waited has ended; must not block. */
    void lockEnded(long request, LockResult result);

    /** An inode has lost its last name: the node says so once nothing there refers to it any more. Must not block. */
    void orphaned(long ino);
}
