package io.tesserafs.coherence.token;

import org.jspecify.annotations.Nullable;

/**
 * What nodes and a volume's owner say to each other about tokens. Ranges are bytes, {@code [fromByte, toByte)}, page-aligned.
 *
 * <p>Between one node and the owner, messages of one direction arrive in the order sent; nothing else is assumed. Messages that
 * cross are told apart by numbers: each grant carries a new {@code sequence}, each release the newest one that the node had
 * <em>seen</em> for the resource. A release does not apply to what was granted after that.
 */
public sealed interface TokenMessage {
    /** Instead of a request's id. */
    long NOBODY_ASKED = 0;

    Resource resource();

    /** A range that a node holds, as it tells an owner that does not know, or may not. */
    record Held(Resource resource, long fromByte, long toByte, Mode mode) {}

    /** From a node to the owner. */
    sealed interface ToOwner extends TokenMessage {}

    /** From the owner to a node. */
    sealed interface ToNode extends TokenMessage {}

    /**
     * Wants the range in that mode; answered by one or more grants, of which the last carries the id.
     *
     * @param id unique among the node's requests for this resource, not 0
     */
    record Request(Resource resource, long fromByte, long toByte, Mode mode, long id) implements ToOwner {}

    /**
     * Gives the range up, or with {@code keep} lowers it to that mode. Nothing of it is cached, or in use, or unsaved any more.
     *
     * @param seen newest sequence of the resource's grants that the node has received
     */
    record Release(
            Resource resource,
            long fromByte,
            long toByte,
            @Nullable Mode keep,
            long seen) implements ToOwner {
        /**
         * As it is to be said over a link that was made meanwhile: what was held when that was made has that sequence at most, and is meant.
         */
        public Release seenAtLeast(long sequence) {
            return seen >= sequence ? this : new Release(resource, fromByte, toByte, keep, sequence);
        }
    }

    /**
     * The node holds the range, at least what it asked for and perhaps more.
     *
     * @param id the request this completes, or 0 if more is to come, or if nobody asked
     */
    record Grant(Resource resource, long fromByte, long toByte, Mode mode, long sequence, long id) implements ToNode {}

    /**
     * Someone else waits for the range: release it, or lower it to {@code keep}. What the node does not hold (any more) is not
     * meant; the rest it keeps.
     */
    record Recall(
            Resource resource,
            long fromByte,
            long toByte,
            @Nullable Mode keep) implements ToNode {}

    /**
     * Someone works its way through the resource and will want the range soon: whatever of it is not in use, release or lower to {@code keep}. Nobody
     * waits for that, and nothing is said of what stays.
     */
    record Yield(
            Resource resource,
            long fromByte,
            long toByte,
            @Nullable Mode keep) implements ToNode {}
}
