package io.tesserafs.node.data;

/**
 * How a node serves a volume.
 *
 * @param entryTtlNs how long the kernel may trust a name without asking; no longer than the lease
 * @param attrTtlNs the same for attributes
 * @param negativeTtlNs the same for "no such name"
 * @param commitIntervalMs dirty files are made durable at the latest after this long
 * @param noAtime never update access times
 * @param lane where this node writes attributes, no other node's ({@link io.tesserafs.coherence.token.Resource}): its number, 1..65535
 */
public record DataOptions(
        long entryTtlNs, long attrTtlNs, long negativeTtlNs, long commitIntervalMs, boolean noAtime, int lane) {
    private static final long FIVE_SECONDS_NS = 5_000_000_000L;

    public static DataOptions defaults() {
        return new DataOptions(FIVE_SECONDS_NS, FIVE_SECONDS_NS, FIVE_SECONDS_NS, 5_000, false, 1);
    }
}
