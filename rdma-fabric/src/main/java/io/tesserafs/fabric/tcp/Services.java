package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.Service;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is served, by number. Thread-safe. */
final class Services {
    private static final Logger LOG = LoggerFactory.getLogger(Services.class);
    private static final int MAX_NUMBER = 255;

    private final AtomicReferenceArray<@Nullable Service> byNumber = new AtomicReferenceArray<>(MAX_NUMBER + 1);
    private final LongAdder callsServed = new LongAdder();

    static void checkNumber(int service) {
        if (service < 1 || service > MAX_NUMBER) {
            throw new IllegalArgumentException("service number out of range: " + service);
        }
    }

    void add(int number, Service service) {
        checkNumber(number);
        if (!byNumber.compareAndSet(number, null, service)) {
            throw new IllegalStateException("service " + number + " is served already");
        }
    }

    @Nullable
    Service get(int number) {
        return byNumber.get(number);
    }

    void countCall() {
        callsServed.increment();
    }

    long callsServed() {
        return callsServed.sum();
    }

    void closed(Connection connection) {
        for (int i = 1; i <= MAX_NUMBER; i++) {
            Service service = byNumber.get(i);
            if (service != null) {
                try {
                    service.closed(connection);
                } catch (RuntimeException e) {
                    LOG.error("{}: service {} failed at its end", connection, i, e);
                }
            }
        }
    }
}
