package io.tesserafs.fabric.verbs;

/**
 * The places for messages on their way, used in turn. Only some report that they are through, which is as much as to say that all before
 * them are, since a queue pair works in order. Pure; one thread at a time.
 */
final class SendRing {
    private final int places;
    /** Of so many one reports. Twice at least in the ring, so that it never fills up with silent ones. */
    private final int period;

    private long taken;
    private long through;

    SendRing(int places) {
        this.places = places;
        this.period = Math.max(1, places / 4);
    }

    boolean hasFree() {
        return taken - through < places;
    }

    /** The next place. */
    int take() {
        if (!hasFree()) {
            throw new IllegalStateException("all places are in use");
        }
        return (int) (taken++ % places);
    }

    /** Whether what was put into the place that was taken last has to report. */
    boolean mustReport() {
        return taken % period == 0;
    }

    /** What was put into the place is through, and so is all before it. */
    void completed(int place) {
        long oldest = through % places;
        long count = (place - oldest + places) % places + 1;
        if (count > taken - through) {
            throw new IllegalStateException("place " + place + " is not in use");
        }
        through += count;
    }
}
