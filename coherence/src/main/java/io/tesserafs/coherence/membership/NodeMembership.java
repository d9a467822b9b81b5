package io.tesserafs.coherence.membership;

import java.util.function.Consumer;

/** One node's being in the cluster, from join to close. Thread-safe. */
public final class NodeMembership implements ConnectionListener, AutoCloseable {
    private final NodeRegistry registry;
    private final ClusterClient cluster;
    private final Incarnation self;
    private final Consumer<MembershipException> onExpelled;
    private NodeInfo node;
    private boolean closed;

    NodeMembership(
            NodeRegistry registry,
            ClusterClient cluster,
            NodeInfo node,
            Incarnation self,
            Consumer<MembershipException> onExpelled) {
        this.registry = registry;
        this.cluster = cluster;
        this.node = node;
        this.self = self;
        this.onExpelled = onExpelled;
    }

    /** Tells the others something new, say another brick. The id must be the same. */
    public synchronized void update(NodeInfo changed) throws MembershipException {
        if (!changed.id().equals(node.id())) {
            throw new IllegalArgumentException("a node keeps its id: " + node.id());
        }
        registry.enter(changed, self);
        node = changed;
    }

    @Override
    public synchronized void connectionChanged(Connection state) {
        if (closed || state != Connection.CONNECTED) {
            return;
        }
        try {
            registry.enter(node, self);
        } catch (MembershipException e) {
            if (e.reason() != MembershipException.Reason.UNREACHABLE) {
                onExpelled.accept(e);
            }
            // Otherwise the connection went again; there is another event when it is back.
        }
    }

    /** Leaves. Idempotent. */
    @Override
    public synchronized void close() throws MembershipException {
        if (closed) {
            return;
        }
        closed = true;
        cluster.removeListener(this);
        registry.leave(node.id(), self);
    }
}
