package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminPeers;
import io.tesserafs.node.session.OwnedVolume;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** The owners of the cluster's volumes, as this node finds them. Thread-safe. */
final class ClusterOwners implements OwnerRelay.Owners {
    private final NodeServices services;

    ClusterOwners(NodeServices services) {
        this.services = services;
    }

    @Override
    public Optional<OwnedVolume> here(String volume) throws AdminException {
        return services.require(volume).ownership().volume();
    }

    @Override
    public JsonNode askElsewhere(String volume, String command, ObjectNode args, Duration limit) throws AdminException {
        Optional<NodeId> owner = find(services.require(volume));
        if (owner.isEmpty()) {
            throw new AdminException(Code.UNAVAILABLE, "volume " + volume + " has no owner yet");
        }
        String node = "node " + owner.get().value();
        if (owner.get().equals(services.coordination().node())) {
            throw new AdminException(Code.UNAVAILABLE, node + " is to own volume " + volume + ", but is not ready");
        }
        try {
            return AdminPeers.ask(services.fabric().connect(owner.get()), command, args, limit);
        } catch (PeerException e) {
            String message = node + ", the owner of volume " + volume + ", does not answer: " + e.getMessage();
            boolean unasked = e.reason() == PeerException.Reason.UNREACHABLE;
            throw new AdminException(unasked ? Code.UNAVAILABLE : Code.FAILED, message, e);
        } catch (IOException e) {
            throw new AdminException(
                    Code.UNAVAILABLE, "volume " + volume + " has no owner that answers: " + e.getMessage(), e);
        }
    }

    /** The node that was elected last; it may have died since. */
    Optional<NodeId> find(OpenVolume volume) throws AdminException {
        try {
            services.coordination().requireConnection();
            return volume.ownership().registry().owner();
        } catch (IOException e) {
            throw new AdminException(Code.UNAVAILABLE, String.valueOf(e.getMessage()), e);
        }
    }
}
