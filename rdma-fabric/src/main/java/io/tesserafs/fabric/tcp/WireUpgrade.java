package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerId;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A better wire for connections, to which both sides move once they have shown each other on a socket who they are. Thread-safe.
 */
public interface WireUpgrade {
    /** Of what says where the wire can be connected. */
    int MAX_OFFER_BYTES = 64;

    /** At the side that was connected to: makes ready for the peer. Null if that cannot be done now. */
    @Nullable
    Invitation invite(PeerId peer);

    /**
     * At the side that connects.
     *
     * @param offer as the peer's invitation says; unchecked input
     * @return connected, and accepted by the peer
     */
    Wire follow(ByteBuffer offer, int timeoutMs) throws IOException;

    /** For one wire of one peer. */
    interface Invitation extends AutoCloseable {
        /** At most {@link #MAX_OFFER_BYTES}. Who has it may connect, so it is for the peer only. */
        ByteBuffer offer();

        /** The wire by which the peer came; null if it has not, or it was taken before. Belongs to the caller. */
        @Nullable
        Wire take();

        /** Who comes from now on is refused, and a wire that was not taken is closed. Idempotent. */
        @Override
        void close();
    }
}
