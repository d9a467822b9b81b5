package io.tesserafs.coherence.token;

import org.jspecify.annotations.Nullable;

/**
 * Giving back one range of a resource. Of {@link HeldTokens}, and used under the lock that guards that; but for {@link #isQuiet}.
 */
final class RangeRecall {
    /** Why a range is given back. */
    enum Urgency {
        /** This node has too much that it does not use. */
        UNUSED,
        /** Another one may want it soon. */
        OFFERED,
        /** Another one waits for it. */
        WANTED
    }

    /** Steps of a recall's pass. */
    enum Step {
        INVALIDATING,
        CLOSED,
        DRAINING,
        FLUSHING
    }

    final long from;
    final long to;
    /** What stays; null for nothing. May become less while the recall runs. */
    private @Nullable Mode keep;

    private volatile Urgency urgency;

    private Step step = Step.INVALIDATING;
    private Coverage.ServedMark mark;

    RangeRecall(long from, long to, @Nullable Mode keep, Urgency urgency) {
        this.from = from;
        this.to = to;
        this.keep = keep;
        this.urgency = urgency;
        this.mark = freshMark();
    }

    private Coverage.ServedMark freshMark() {
        return new Coverage.ServedMark(from, to, keep != null);
    }

    @Nullable
    Mode keep() {
        return keep;
    }

    /** The file is open nowhere here. Under the lock or not: it only ever turns false, and then the kernel must be told. */
    boolean isQuiet() {
        return urgency == Urgency.UNUSED;
    }

    /** Nobody waits for it: give up giving up as soon as the range is used again. */
    boolean isVoluntary() {
        return urgency != Urgency.WANTED;
    }

    /** Requests are served until the range is closed. */
    boolean isOpen() {
        return step == Step.INVALIDATING;
    }

    Step step() {
        return step;
    }

    void move(Step next) {
        step = next;
    }

    /** Of the pass under way: whether anyone was served in the range since it began. */
    Coverage.ServedMark mark() {
        return mark;
    }

    void beginPass() {
        step = Step.INVALIDATING;
        mark = freshMark();
    }

    /** Somebody else waits for the range too, and may want more of it. What was kept so far then needs another pass. */
    void strengthen(@Nullable Mode wanted) {
        if (isVoluntary()) {
            urgency = Urgency.WANTED;
            mark.set(); // its pass may have spared the kernel; the next one invalidates
        }
        if (keep != null && wanted == null) {
            keep = null;
            mark.set();
        }
    }
}
