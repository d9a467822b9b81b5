package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.session.OwnedVolume;
import java.time.Duration;
import java.util.Optional;

/**
 * Has commands about a volume, which their argument "volume" names, carried out by the node that owns it: here, or there. While there is no
 * owner, the next one is awaited for a moment. Thread-safe.
 */
final class OwnerRelay {
    /** About as long as another node takes to become the owner. */
    static final Duration OWNER_WAIT = Duration.ofSeconds(10);

    private static final long RETRY_MS = 100;

    private final Owners owners;
    private final Duration ownerWait;

    /** Where owners are. */
    interface Owners {
        /**
         * The owner, if it is here.
         *
         * @throws AdminException NOT_FOUND: there is no such volume
         */
        Optional<OwnedVolume> here(String volume) throws AdminException;

        /**
         * Asks another node, which is the owner.
         *
         * @param limit for the answer; what was asked for may go on
         * @throws AdminException UNAVAILABLE: it was not reached or is not the owner, so nothing was done
         */
        JsonNode askElsewhere(String volume, String command, ObjectNode args, Duration limit) throws AdminException;
    }

    /** What the owner does. */
    @FunctionalInterface
    interface AtOwner {
        Object handle(OwnedVolume owned, ObjectNode args) throws AdminException;
    }

    OwnerRelay(Owners owners, Duration ownerWait) {
        this.owners = owners;
        this.ownerWait = ownerWait;
    }

    /** Refuses as UNAVAILABLE unless this node owns the volume. */
    AdminHandler here(AtOwner work) {
        return args -> {
            String volume = AdminArgs.text(args, "volume");
            Optional<OwnedVolume> owned = owners.here(volume);
            if (owned.isEmpty()) {
                throw new AdminException(Code.UNAVAILABLE, "volume " + volume + " is not owned by the node asked");
            }
            return work.handle(owned.get(), args);
        };
    }

    /** @param limit for the answer of another node */
    AdminHandler anywhere(String command, AtOwner work, Duration limit) {
        return args -> {
            String volume = AdminArgs.text(args, "volume");
            long end = System.nanoTime() + ownerWait.toNanos();
            while (true) {
                try {
                    Optional<OwnedVolume> owned = owners.here(volume);
                    return owned.isPresent()
                            ? work.handle(owned.get(), args)
                            : owners.askElsewhere(volume, command, args, limit);
                } catch (AdminException e) {
                    if (e.code() != Code.UNAVAILABLE || System.nanoTime() > end) {
                        throw e;
                    }
                    pause();
                }
            }
        };
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
