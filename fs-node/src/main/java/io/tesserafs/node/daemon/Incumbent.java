package io.tesserafs.node.daemon;

import io.tesserafs.node.session.Tenure;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An owner whom ZooKeeper does not confirm any more. It asks again and again whether it was replaced, on the bricks where that would show; each answer counts for who
 * asked before it was sought. The first that is not good ends it. Thread-safe.
 */
final class Incumbent implements Tenure {
    private static final Logger LOG = LoggerFactory.getLogger(Incumbent.class);
    private static final long EVERY_MS = 200;

    private final String volume;
    private final BooleanSupplier unreplaced;
    private final Runnable onEnd;
    /** Proofs that were begun. Guarded by this, as is the rest. */
    private long begun;
    /** The newest that was good. */
    private long good;

    private boolean ended;

    /**
     * @param unreplaced true if nobody had taken over at some moment after the call
     * @param onEnd runs once
     */
    Incumbent(String volume, BooleanSupplier unreplaced, Runnable onEnd) {
        this.volume = volume;
        this.unreplaced = unreplaced;
        this.onEnd = onEnd;
    }

    void start() {
        Thread.ofPlatform().daemon().name("tessera-incumbent-" + volume).start(this::run);
    }

    private void run() {
        LOG.warn("volume {}: ZooKeeper does not answer; this node goes on while it is sure to own it", volume);
        try {
            while (proveOnce()) {
                Thread.sleep(EVERY_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            synchronized (this) {
                ended = true;
                notifyAll();
            }
            onEnd.run();
        }
    }

    private boolean proveOnce() {
        long mine;
        synchronized (this) {
            mine = ++begun;
        }
        if (!unreplaced.getAsBoolean()) {
            return false;
        }
        synchronized (this) {
            good = mine;
            notifyAll();
        }
        return true;
    }

    @Override
    public synchronized boolean isProved() {
        long wanted = begun + 1;
        try {
            while (good < wanted && !ended) {
                wait();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
        return good >= wanted;
    }
}
