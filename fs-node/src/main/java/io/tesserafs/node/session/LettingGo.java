package io.tesserafs.node.session;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;

/** Tells an owner on another node of inodes without names that nothing here refers to any more: many at a time, and nobody waits for it. Thread-safe. */
final class LettingGo {
    /** Inodes in one call. */
    private static final int BATCH = 1024;

    private final RemoteVolume remote;
    private final Queue<Long> inodes = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean sending = new AtomicBoolean();

    LettingGo(RemoteVolume remote) {
        this.remote = remote;
    }

    void add(long ino) {
        inodes.add(ino);
        if (sending.compareAndSet(false, true)) {
            Thread.ofVirtual().name("tessera-letting-go").start(this::send);
        }
    }

    private void send() {
        do {
            List<Long> batch = new ArrayList<>();
            Long next;
            while (batch.size() < BATCH && (next = inodes.poll()) != null) {
                batch.add(next);
            }
            if (!batch.isEmpty()) {
                remote.unreferenced(batch);
            } else {
                sending.set(false);
            }
        } while (sending.get() || !inodes.isEmpty() && sending.compareAndSet(false, true));
    }
}
