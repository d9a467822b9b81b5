package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.tcp.GreetingLayout.Greeting;

/**
 * How much of its peer's calls one side takes at a time. The peer keeps to it by itself; who does not is cut off. A call counts from the
 * time it is sent until it is answered, even if nobody waits for the answer any more.
 *
 * @param maxCalls their number
 * @param windowUnits their requests' bytes, each rounded up to units of {@link GreetingLayout#WINDOW_UNIT_BYTES}
 */
record CallLimits(int maxCalls, int windowUnits) {
    /** Enough to hide any delay of a network; 32 MiB of requests in memory per peer at most. */
    static final CallLimits OURS = new CallLimits(256, 512);

    /** More than this of the peer's generosity is never used. */
    private static final int MAX_CALLS = 1 << 16;

    static CallLimits of(Greeting peer) {
        return new CallLimits(Math.min(peer.maxCalls(), MAX_CALLS), peer.windowUnits());
    }

    /** What a request counts for: at least one unit, whatever its size. */
    static int units(int requestBytes) {
        return Math.max(1, Math.ceilDiv(requestBytes, GreetingLayout.WINDOW_UNIT_BYTES));
    }
}
