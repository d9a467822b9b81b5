package io.tesserafs.node.data;

/**
 * How a node serves a volume.
 *
 * @param entryTtlNs how long the kernel may trust a name without asking; no longer than the lease
 * @param attrTtlNs the same for attributes
 * @param negativeTtlNs the same for "no such name"
 * @param commitIntervalMs dirty files are made durable at the latest after this long
 * @param noAtime never update access times
 */
public record DataOptions(long entryTtlNs, long attrTtlNs, long negativeTtlNs, long commitIntervalMs, boolean noAtime) {
    private static final long FIVE_SECONDS_NS = 5_000_000_000L;

    public static DataOptions defaults() {
        return new DataOptions(FIVE_SECONDS_NS, FIVE_SECONDS_NS, FIVE_SECONDS_NS, 5_000, false);
    }
}
