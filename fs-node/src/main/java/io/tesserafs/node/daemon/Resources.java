package io.tesserafs.node.daemon;

import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What was taken, closed in reverse order. A failure to close one does not keep the others open. */
final class Resources implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Resources.class);

    private record Held(String what, AutoCloseable resource) {}

    private final Deque<Held> held = new ArrayDeque<>();

    synchronized <T extends AutoCloseable> T add(String what, T resource) {
        held.push(new Held(what, resource));
        return resource;
    }

    /** Idempotent: what is closed is forgotten. */
    @Override
    public synchronized void close() {
        while (!held.isEmpty()) {
            Held last = held.pop();
            try {
                LOG.debug("closing {}", last.what());
                last.resource().close();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                LOG.warn("interrupted while closing {}", last.what(), e);
            } catch (Exception e) {
                LOG.error("closing {} failed", last.what(), e);
            }
        }
    }
}
