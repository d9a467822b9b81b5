package io.tesserafs.node.metrics;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;

/**
 * The daemon's counters in one place. The parts count in plain {@link LongAdder}s on their hot paths; here they only get names.
 * Names are in Micrometer's dotted form, which {@link #prometheus} turns into Prometheus' form. Thread-safe.
 */
public final class NodeMetrics implements AutoCloseable {
    private final MeterRegistry registry = new SimpleMeterRegistry();

    public NodeMetrics() {
        Runtime runtime = Runtime.getRuntime();
        gauge("jvm.heap.used.bytes", () -> runtime.totalMemory() - runtime.freeMemory());
        gauge("jvm.heap.committed.bytes", runtime::totalMemory);
        gauge("jvm.heap.max.bytes", runtime::maxMemory);
        gauge("process.resident.bytes", ProcessMemory::residentBytes);
        gauge("process.open.files", ProcessMemory::openFiles);
    }

    /** Takes a counter that some part already keeps. {@code tags}: name, value, name, value... */
    public void counter(String name, LongAdder counter, String... tags) {
        counter(name, counter::sum, tags);
    }

    /** A total that only grows. */
    public void counter(String name, LongSupplier total, String... tags) {
        // Only a weak reference to the second argument is kept, a strong one to the third.
        FunctionCounter.builder(name, this, _ -> total.getAsLong()).tags(tags).register(registry);
    }

    /** A value of now. */
    public void gauge(String name, LongSupplier value, String... tags) {
        Gauge.builder(name, value, LongSupplier::getAsLong)
                .strongReference(true)
                .tags(tags)
                .register(registry);
    }

    /** Forgets all meters with this tag, when what they count is gone. */
    public void removeTagged(String tag, String value) {
        for (Meter meter : registry.getMeters()) {
            if (value.equals(meter.getId().getTag(tag))) {
                registry.remove(meter);
            }
        }
    }

    /** All values by name, tags appended as {@code {tag=value}}. */
    public Map<String, Double> snapshot() {
        Map<String, Double> values = new TreeMap<>();
        for (Meter meter : registry.getMeters()) {
            StringBuilder key = new StringBuilder(meter.getId().getName());
            meter.getId()
                    .getTags()
                    .forEach(tag -> key.append('{')
                            .append(tag.getKey())
                            .append('=')
                            .append(tag.getValue())
                            .append('}'));
            values.put(key.toString(), value(meter));
        }
        return values;
    }

    /** Text exposition format 0.0.4. */
    public String prometheus() {
        Map<String, String> families = new TreeMap<>();
        for (Meter meter : registry.getMeters()) {
            boolean counter = meter.getId().getType() == Meter.Type.COUNTER;
            String family = "tessera_" + meter.getId().getName().replace('.', '_') + (counter ? "_total" : "");
            String type = "# TYPE " + family + (counter ? " counter\n" : " gauge\n");
            families.merge(
                    family,
                    type + family + labels(meter) + " " + text(value(meter)) + "\n",
                    (all, one) -> all + one.substring(type.length()));
        }
        return String.join("", families.values());
    }

    private static String labels(Meter meter) {
        if (meter.getId().getTags().isEmpty()) {
            return "";
        }
        StringBuilder labels = new StringBuilder("{");
        meter.getId().getTags().forEach(tag -> {
            String value =
                    tag.getValue().replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
            labels.append(labels.length() > 1 ? "," : "")
                    .append(tag.getKey().replace('.', '_'))
                    .append("=\"")
                    .append(value)
                    .append('"');
        });
        return labels.append('}').toString();
    }

    private static double value(Meter meter) {
        return meter.measure().iterator().next().getValue();
    }

    private static String text(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? Long.toString((long) value)
                : String.format(Locale.ROOT, "%s", value);
    }

    @Override
    public void close() {
        registry.close();
    }
}
