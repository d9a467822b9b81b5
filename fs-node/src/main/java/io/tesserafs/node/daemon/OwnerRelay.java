package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.admin.AdminPeers;
import io.tesserafs.node.session.OwnedVolume;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Has commands about a volume carried out by the node that owns it: here, or by that node over the fabric. While there is no owner, the next
 * one is awaited for a moment. Thread-safe.
 */
final class OwnerRelay {
    /** About as long as another node takes to become the owner. */
    private static final Duration OWNER_WAIT = Duration.ofSeconds(10);

    private static final long RETRY_MS = 100;

    private final NodeServices services;

    OwnerRelay(NodeServices services) {
        this.services = services;
    }

    /** What the owner does. The argument "volume" is its name. */
    @FunctionalInterface
    interface AtOwner {
        Object handle(OpenVolume volume, OwnedVolume owned, ObjectNode args) throws AdminException;
    }

    /** Refuses as UNAVAILABLE unless this node owns the volume. */
    AdminHandler here(AtOwner work) {
        return args -> {
            OpenVolume volume = volume(args);
            Optional<OwnedVolume> owned = volume.ownership().volume();
            if (owned.isEmpty()) {
                throw new AdminException(
                        Code.UNAVAILABLE,
                        "node " + services.coordination().node().value() + " does not own volume "
                                + volume.info().name());
            }
            return work.handle(volume, owned.get(), args);
        };
    }

    /** @param limit for the answer of another node; what it was asked to do may go on */
    AdminHandler anywhere(String command, AtOwner work, Duration limit) {
        return args -> {
            OpenVolume volume = volume(args);
            long end = System.nanoTime() + OWNER_WAIT.toNanos();
            while (true) {
                try {
                    Optional<OwnedVolume> owned = volume.ownership().volume();
                    return owned.isPresent()
                            ? work.handle(volume, owned.get(), args)
                            : ask(volume, command, args, limit);
                } catch (AdminException e) {
                    if (e.code() != Code.UNAVAILABLE || System.nanoTime() > end) {
                        throw e;
                    }
                    pause();
                }
            }
        };
    }

    /**
     * Asks another node, which is the owner.
     *
     * @throws AdminException UNAVAILABLE: it was not reached or is not the owner, so nothing was done
     */
    JsonNode ask(OpenVolume volume, String command, ObjectNode args, Duration limit) throws AdminException {
        String name = volume.info().name();
        Optional<NodeId> owner = ownerOf(volume);
        if (owner.isEmpty()) {
            throw new AdminException(Code.UNAVAILABLE, "volume " + name + " has no owner yet");
        }
        String node = "node " + owner.get().value();
        if (owner.get().equals(services.coordination().node())) {
            throw new AdminException(Code.UNAVAILABLE, node + " is to own volume " + name + ", but is not ready");
        }
        try {
            return AdminPeers.ask(services.fabric().connect(owner.get()), command, args, limit);
        } catch (PeerException e) {
            String message = node + ", the owner of volume " + name + ", does not answer: " + e.getMessage();
            boolean unasked = e.reason() == PeerException.Reason.UNREACHABLE;
            throw new AdminException(unasked ? Code.UNAVAILABLE : Code.FAILED, message, e);
        } catch (IOException e) {
            throw new AdminException(
                    Code.UNAVAILABLE, "volume " + name + " has no owner that answers: " + e.getMessage(), e);
        }
    }

    /** The node that was elected last; it may have died since. */
    Optional<NodeId> ownerOf(OpenVolume volume) throws AdminException {
        try {
            services.coordination().requireConnection();
            return volume.ownership().registry().owner();
        } catch (IOException e) {
            throw new AdminException(Code.UNAVAILABLE, String.valueOf(e.getMessage()), e);
        }
    }

    private OpenVolume volume(ObjectNode args) throws AdminException {
        String name = AdminArgs.text(args, "volume");
        return services.volume(name)
                .orElseThrow(() -> new AdminException(Code.NOT_FOUND, "there is no volume " + name));
    }

    private static void pause() throws AdminException {
        try {
            Thread.sleep(RETRY_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AdminException(Code.FAILED, "interrupted", e);
        }
    }
}
