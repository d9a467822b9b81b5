package io.tesserafs.cluster.history;

/**
 * One read or write of an 8-byte register, as the process that did it saw it. Times are CLOCK_MONOTONIC of the host, which is one clock
 * for all network namespaces on it; an operation took effect somewhere between its two times.
 *
 * @param process who did it
 * @param register the register's offset in its file, bytes
 * @param value what was read or written; what is written is unique among all writes to a register, and not zero, which a register
 *     holds at first
 * @param beginNs taken before the operation was asked for
 * @param endNs taken after the answer; {@link #UNKNOWN} if there was none or it was an error
 */
public record Operation(int process, Kind kind, long register, long value, long beginNs, long endNs) {
    /** The end of an operation that may have happened, may yet happen, or never will. */
    public static final long UNKNOWN = Long.MAX_VALUE;

    /** What a register holds before the first write. */
    public static final long INITIAL = 0;

    public enum Kind {
        READ,
        WRITE
    }

    public Operation {
        if (endNs < beginNs) {
            throw new IllegalArgumentException("an operation that ends before it begins");
        }
        if (kind == Kind.WRITE && value == INITIAL) {
            throw new IllegalArgumentException("a write of the initial value");
        }
    }

    boolean isWrite() {
        return kind == Kind.WRITE;
    }

    boolean isKnown() {
        return endNs != UNKNOWN;
    }

    Operation endingAt(long ns) {
        return new Operation(process, kind, register, value, beginNs, ns);
    }

    @Override
    public String toString() {
        return "process " + process + (isWrite() ? " wrote " : " read ") + Long.toHexString(value) + " at register "
                + register + " from " + beginNs + " to " + (isKnown() ? Long.toString(endNs) : "unknown");
    }
}
