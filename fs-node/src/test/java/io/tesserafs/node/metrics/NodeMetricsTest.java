package io.tesserafs.node.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.ref.WeakReference;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;

class NodeMetricsTest {
    @Test
    void shouldShowCountersAsTheyAreNow() {
        try (NodeMetrics metrics = new NodeMetrics()) {
            LongAdder reads = new LongAdder();
            metrics.counter("fuse.requests", reads, "volume", "main", "op", "read");
            metrics.gauge("open.files", () -> 7);
            reads.add(41);
            assertThat(metrics.snapshot())
                    .containsEntry("fuse.requests{op=read}{volume=main}", 41.0)
                    .containsEntry("open.files", 7.0);
            reads.increment();
            assertThat(metrics.prometheus())
                    .contains("""
                            # TYPE tessera_fuse_requests_total counter
                            tessera_fuse_requests_total{op="read",volume="main"} 42
                            """)
                    .contains("# TYPE tessera_open_files gauge\ntessera_open_files 7\n");
        }
    }

    @Test
    void shouldGoOnCountingAfterAGarbageCollection() {
        try (NodeMetrics metrics = new NodeMetrics()) {
            LongAdder reads = new LongAdder();
            metrics.counter("reads", reads);
            WeakReference<Object> garbage = new WeakReference<>(new Object());
            while (garbage.get() != null) {
                System.gc();
            }
            reads.increment();
            assertThat(metrics.snapshot()).containsEntry("reads", 1.0);
        }
    }

    @Test
    void shouldNameEachFamilyOnce() {
        try (NodeMetrics metrics = new NodeMetrics()) {
            metrics.counter("x", () -> 1, "volume", "a");
            metrics.counter("x", () -> 2, "volume", "b");
            String text = metrics.prometheus();
            assertThat(text.split("# TYPE tessera_x_total", -1)).hasSize(2);
            assertThat(text)
                    .contains("tessera_x_total{volume=\"a\"} 1\n")
                    .contains("tessera_x_total{volume=\"b\"} 2\n");
        }
    }

    @Test
    void shouldForgetAnUnmountedVolume() {
        try (NodeMetrics metrics = new NodeMetrics()) {
            metrics.counter("x", () -> 1, "volume", "gone");
            metrics.removeTagged("volume", "gone");
            assertThat(metrics.snapshot().keySet()).noneMatch(name -> name.startsWith("x"));
        }
    }

    @Test
    void shouldKnowItsOwnMemory() {
        assertThat(ProcessMemory.residentBytes()).isGreaterThan(1 << 20);
        assertThat(ProcessMemory.openFiles()).isGreaterThan(2);
    }
}
