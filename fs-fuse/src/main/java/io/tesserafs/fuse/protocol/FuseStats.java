package io.tesserafs.fuse.protocol;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** Counters of one mount since it started. Reading them is cheap and approximate while requests run. */
public final class FuseStats {
    private final LongAdder[] requests = newAdders(Opcode.COUNT);
    private final LongAdder[] errors = newAdders(Opcode.COUNT);
    final LongAdder readBytes = new LongAdder();
    final LongAdder writtenBytes = new LongAdder();
    final LongAdder malformed = new LongAdder();
    final LongAdder handlerFailures = new LongAdder();
    final LongAdder unanswered = new LongAdder();
    final LongAdder withdrawn = new LongAdder();
    final LongAdder refusedAnswers = new LongAdder();
    final LongAdder interrupts = new LongAdder();
    final LongAdder detached = new LongAdder();
    final LongAdder notifications = new LongAdder();

    FuseStats() {}

    void countRequest(int opcode) {
        requests[Opcode.slot(opcode)].increment();
    }

    void countError(int opcode) {
        errors[Opcode.slot(opcode)].increment();
    }

    /** Requests by operation ("lookup", "read", ...; "unknown" for opcodes we do not know); operations never seen are left out. */
    public Map<String, Long> requestsByOperation() {
        return byName(requests);
    }

    /** Answers with an errno, by operation. A failed lookup of a name that does not exist is one of them. */
    public Map<String, Long> errorsByOperation() {
        return byName(errors);
    }

    /** Bytes answered to READ. */
    public long readBytes() {
        return readBytes.sum();
    }

    /** Payload bytes that came with WRITE. */
    public long writtenBytes() {
        return writtenBytes.sum();
    }

    /** Requests that broke the protocol. */
    public long malformedRequests() {
        return malformed.sum();
    }

    /** Exceptions that escaped the filesystem. */
    public long handlerFailures() {
        return handlerFailures.sum();
    }

    /** Requests a handler neither answered nor detached; we sent EIO. */
    public long unansweredRequests() {
        return unanswered.sum();
    }

    /** Answers the kernel no longer wanted. */
    public long withdrawnRequests() {
        return withdrawn.sum();
    }

    /** Answers the kernel found invalid or could not read; the caller got EIO. */
    public long refusedAnswers() {
        return refusedAnswers.sum();
    }

    public long interrupts() {
        return interrupts.sum();
    }

    /** Requests that left their reader thread before they were answered. */
    public long detachedRequests() {
        return detached.sum();
    }

    public long notifications() {
        return notifications.sum();
    }

    private static Map<String, Long> byName(LongAdder[] adders) {
        Map<String, Long> counts = new LinkedHashMap<>();
        for (int slot = 0; slot < adders.length; slot++) {
            long count = adders[slot].sum();
            if (count != 0) {
                counts.put(Opcode.name(slot), count);
            }
        }
        return counts;
    }

    private static LongAdder[] newAdders(int count) {
        LongAdder[] adders = new LongAdder[count];
        for (int i = 0; i < count; i++) {
            adders[i] = new LongAdder();
        }
        return adders;
    }
}
