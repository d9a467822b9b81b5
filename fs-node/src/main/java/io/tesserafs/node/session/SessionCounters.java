package io.tesserafs.node.session;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;

/** Calls of one session to an owner on another node since it was made. Thread-safe; cheap enough for every call. */
public final class SessionCounters {
    private final Map<VolumeWire.Op, LongAdder> calls = new EnumMap<>(VolumeWire.Op.class);

    SessionCounters() {
        for (VolumeWire.Op op : VolumeWire.Op.values()) {
            calls.put(op, new LongAdder());
        }
    }

    void called(VolumeWire.Op op) {
        LongAdder counter = calls.get(op);
        if (counter != null) {
            counter.increment();
        }
    }

    /** Calls by the name of the operation. Each is a round trip. */
    public Map<String, LongAdder> calls() {
        Map<String, LongAdder> byName = new TreeMap<>();
        calls.forEach((op, count) -> byName.put(op.name().toLowerCase(Locale.ROOT), count));
        return byName;
    }
}
