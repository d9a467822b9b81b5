package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.token.OwnerLink;
import java.io.IOException;

/** A node that takes note of whatever the owner says, and does nothing. Tests override what they are about. */
public class QuietEnd implements NodeEnd {
    @Override
    public OwnerLink.Receiver tokens() {
        return message -> {};
    }

    @Override
    public void alone(boolean alone) throws IOException {}

    @Override
    public void lockEnded(long request, LockResult result) {}

    @Override
    public void orphaned(long ino) {}
}
