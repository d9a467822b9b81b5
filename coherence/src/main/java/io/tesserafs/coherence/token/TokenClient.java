package io.tesserafs.coherence.token;

/** This node's token cache for one volume: the way to the owner's table. Thread-safe. */
public interface TokenClient {
    /** DATA tokens of an inode; counted, one close per call. */
    FileTokens open(long inode);

    /** What the holder must do when the owner recalls; set once before the first open. */
    void onRecall(RecallHandler handler);

    /** The node's side of a recall. Called on the token service's own threads, never on a request's. */
    interface RecallHandler {
        /** Drops kernel pages of the range (byte offsets), which brings dirty mapped pages back as writes. May block. */
        void invalidate(long inode, long fromByte, long toByte);

        /** Hands dirty data and metadata of the range to the owner and the replicas. May block. */
        void flush(long inode, long fromByte, long toByte);

        /** As {@link #invalidate(long, long, long)}, for any kind of resource; those of metadata have no ranges. */
        default void invalidate(Resource resource, long fromByte, long toByte) {
            if (resource.kind() != Resource.Kind.DATA) {
                throw new UnsupportedOperationException("this node holds no tokens of kind " + resource.kind());
            }
            invalidate(resource.inode(), fromByte, toByte);
        }

        /** As {@link #flush(long, long, long)}, for any kind of resource. */
        default void flush(Resource resource, long fromByte, long toByte) {
            if (resource.kind() != Resource.Kind.DATA) {
                throw new UnsupportedOperationException("this node holds no tokens of kind " + resource.kind());
            }
            flush(resource.inode(), fromByte, toByte);
        }
    }
}
