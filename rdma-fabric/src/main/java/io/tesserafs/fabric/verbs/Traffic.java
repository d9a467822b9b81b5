package io.tesserafs.fabric.verbs;

import java.util.concurrent.atomic.LongAdder;

/** What went by RDMA, and what did not though it should have. Thread-safe. */
public final class Traffic {
    private final LongAdder bytesRead = new LongAdder();
    private final LongAdder bytesWritten = new LongAdder();
    private final LongAdder flushes = new LongAdder();
    private final LongAdder givenUp = new LongAdder();

    Traffic() {}

    void read(long bytes) {
        bytesRead.add(bytes);
    }

    void written(long bytes) {
        bytesWritten.add(bytes);
    }

    void flushed() {
        flushes.increment();
    }

    void gaveUp() {
        givenUp.increment();
    }

    public long bytesRead() {
        return bytesRead.sum();
    }

    public long bytesWritten() {
        return bytesWritten.sum();
    }

    /** Flushes that were a FLUSH between two devices, and nothing else. */
    public long flushesByDevice() {
        return flushes.sum();
    }

    /** Clients of bricks whose bytes go another way from some time on. */
    public long clientsGivenUp() {
        return givenUp.sum();
    }
}
