package io.tesserafs.node.data;

import java.time.Instant;

/** The time that goes into files: nanoseconds since 1970 by the host's clock. */
final class WallClock {
    private static final long NS = 1_000_000_000L;

    private WallClock() {}

    static long nowNs() {
        Instant now = Instant.now();
        return now.getEpochSecond() * NS + now.getNano();
    }
}
