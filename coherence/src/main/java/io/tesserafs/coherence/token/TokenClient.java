package io.tesserafs.coherence.token;

import org.jspecify.annotations.Nullable;

/** This node's token cache for one volume: the way to the owner's table. Thread-safe. */
public interface TokenClient {
    /** Tokens of a resource; counted, one close per call. */
    FileTokens open(Resource resource);

    /** What the holder must do when the owner recalls; set once before the first open. */
    void onRecall(RecallHandler handler);

    /** The node's side of a recall. Called on the token service's own threads, never on a request's. May block. */
    interface RecallHandler {
        /** Drops what the kernel caches of the range, which brings dirty mapped pages back as writes. Requests are served meanwhile. */
        void invalidate(Resource resource, long fromByte, long toByte);

        /**
         * Drops what the kernel caches of a resource whose token is gone with the session: in no time, since another node may have it as soon as this one's
         * lease has ended. Changes count no more.
         */
        default void forget(Resource resource) {
            invalidate(resource, 0, FileTokens.TO_END);
        }

        /**
         * Hands what is unsaved of the range to the owner and the bricks, and forgets what is known of it unless {@code keep}. Nobody uses the range
         * now.
         *
         * @param keep the mode that stays, null if the range is given up altogether
         */
        void flush(Resource resource, long fromByte, long toByte, @Nullable Mode keep);

        /**
         * The same, after which the range is released: for who has to keep others from doing so between the two.
         *
         * @param release to be called once; does not block. Never after something unforeseen: then the range stays here until the node is fenced
         */
        default void giveBack(Resource resource, long fromByte, long toByte, @Nullable Mode keep, Runnable release) {
            flush(resource, fromByte, toByte, keep);
            release.run();
        }
    }
}
