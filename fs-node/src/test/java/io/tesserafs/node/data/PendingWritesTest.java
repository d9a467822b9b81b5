package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PendingWritesTest {
    private final PendingWrites writes = new PendingWrites();

    @Test
    void shouldConcernOnlyReadsThatOverlap() {
        writes.add(100, 200);
        assertThat(writes.concern(0, 100)).isFalse();
        assertThat(writes.concern(199, 300)).isTrue();
        assertThat(writes.concern(200, 300)).isFalse();
    }

    @Test
    void shouldConcernNobodyOnceDone() {
        PendingWrites.Pending one = writes.add(100, 200);
        PendingWrites.Pending other = writes.add(100, 200);
        writes.done(one);
        assertThat(writes.concern(100, 101)).isTrue();
        writes.done(other);
        assertThat(writes.concern(100, 101)).isFalse();
    }

    @Test
    void shouldHoldAReadBackForTheWritesBeforeItAndNoOthers() throws Exception {
        PendingWrites.Pending before = writes.add(0, 4096);
        FutureTask<Boolean> read = new FutureTask<>(() -> {
            writes.await(0, 8192);
            return true;
        });
        Thread reader = Thread.ofVirtual().start(read);
        while (reader.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        writes.add(4096, 8192); // came later
        assertThat(read.isDone()).isFalse();
        writes.done(before);
        assertThat(read.get(1, TimeUnit.MINUTES)).isTrue();
    }
}
