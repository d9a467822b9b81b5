package io.tesserafs.coherence.token;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The door through which every request of one resource goes: counts who is inside, refuses where no token covers. Lock-free.
 *
 * <p>Everything that must be seen together is in one word:
 *
 * <pre>
 * bits  0..23  users that entered in phase 0
 * bits 24..47  users that entered in phase 1
 * bit  48      the current phase
 * bit  49      DRAINING: somebody waits for the users of the other phase to leave
 * bits 50..51  whole-file mode: 0 look at the coverage, 1 SHARED, 2 EXCLUSIVE
 * </pre>
 *
 * The common case (a whole-file token) is one compare-and-set on entry and one add on exit. Otherwise the user counts itself in
 * <em>first</em> and then looks at the coverage, an immutable snapshot. Hence the guarantee that recalls are built on: after
 * {@link #publish} and then a drain, nobody is inside under an older coverage, and what those users marked as served can be seen.
 * A drain waits only for users that were inside when it began (those who come later count in the other phase), so it ends even on
 * a busy file.
 *
 * <p>{@link #publish} and {@link #startDrain} are called by one thread at a time, and one drain at a time.
 */
class TokenGate {
    static final int WHOLE_SHARED = 1;
    static final int WHOLE_EXCLUSIVE = 2;

    private static final int PHASE_BITS = 24;
    private static final long COUNT_MASK = (1L << PHASE_BITS) - 1;
    private static final long PHASE = 1L << 48;
    private static final long DRAINING = 1L << 49;
    private static final int WHOLE_SHIFT = 50;
    private static final long WHOLE_MASK = 3L << WHOLE_SHIFT;

    private static final int TICKET_PHASE_0 = 1;
    private static final int TICKET_PHASE_1 = 2;

    private static final VarHandle WORD;

    static {
        try {
            WORD = MethodHandles.lookup().findVarHandle(TokenGate.class, "word", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Runnable onDrained;
    private volatile long word;
    private volatile Coverage coverage = Coverage.NONE;

    /**
     * @param onDrained called on the thread of the user who left last, when a drain that had to wait is done; must only enqueue
     */
    TokenGate(Runnable onDrained) {
        this.onDrained = onDrained;
    }

    final int tryEnter(long fromByte, long toByte, Mode mode) {
        while (true) {
            long now = word;
            int whole = (int) ((now & WHOLE_MASK) >>> WHOLE_SHIFT);
            boolean covered = whole == WHOLE_EXCLUSIVE || (whole == WHOLE_SHARED && mode == Mode.SHARED);
            if (!covered && (whole != 0 || coverage.isEmpty())) {
                return FileTokens.REFUSED;
            }
            if (!WORD.compareAndSet(this, now, now + unit(now))) {
                continue;
            }
            int ticket = (now & PHASE) == 0 ? TICKET_PHASE_0 : TICKET_PHASE_1;
            if (covered) {
                return ticket;
            }
            Coverage current = coverage;
            if (current.covers(fromByte, toByte, mode)) {
                current.noteServed(fromByte, toByte, mode);
                return ticket;
            }
            exit(ticket);
            return FileTokens.REFUSED;
        }
    }

    final void exit(int ticket) {
        long unit = switch (ticket) {
            case TICKET_PHASE_0 -> 1;
            case TICKET_PHASE_1 -> 1L << PHASE_BITS;
            default -> throw new IllegalArgumentException("not a ticket: " + ticket);
        };
        long before = (long) WORD.getAndAdd(this, -unit);
        if ((before & (COUNT_MASK * unit)) == 0) {
            throw new IllegalStateException("a ticket was given back twice");
        }
        if ((before & DRAINING) != 0 && finishDrain()) {
            onDrained.run();
        }
    }

    /** From now on this is what entry depends on. */
    void publish(Coverage next) {
        coverage = next;
        long whole = (long) next.wholeMode() << WHOLE_SHIFT;
        while (true) {
            long now = word;
            if (WORD.compareAndSet(this, now, (now & ~WHOLE_MASK) | whole)) {
                return;
            }
        }
    }

    /**
     * Waits, without blocking, until everyone who is inside now has left.
     *
     * @return true if that is so already; else {@code onDrained} will be called, once
     */
    boolean startDrain() {
        while (true) {
            long now = word;
            if ((now & DRAINING) != 0) {
                throw new IllegalStateException("a drain is under way");
            }
            if (WORD.compareAndSet(this, now, (now ^ PHASE) | DRAINING)) {
                return finishDrain();
            }
        }
    }

    /** For looking inside. */
    final int users() {
        long now = word;
        return (int) ((now & COUNT_MASK) + ((now >>> PHASE_BITS) & COUNT_MASK));
    }

    /** Ends the drain if the last user of the old phase has left; true for exactly one caller. */
    private boolean finishDrain() {
        while (true) {
            long now = word;
            long old = (now & PHASE) == 0 ? now >>> PHASE_BITS : now;
            if ((now & DRAINING) == 0 || (old & COUNT_MASK) != 0) {
                return false;
            }
            if (WORD.compareAndSet(this, now, now & ~DRAINING)) {
                return true;
            }
        }
    }

    private static long unit(long word) {
        return (word & PHASE) == 0 ? 1 : 1L << PHASE_BITS;
    }
}
