package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.SessionId;

/** A mount that has nothing cached, on the only node that can own the volume. Tests override what they are about. */
class QuietNode implements NodeSession.Node {
    @Override
    public void alone(boolean alone) {}

    @Override
    public void sessionLost() {}

    @Override
    public void orphaned(long ino) {}

    @Override
    public void sessionBegins(SessionId session) {}

    @Override
    public boolean hasRivals() {
        return false;
    }
}
