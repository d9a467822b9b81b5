package io.tesserafs.node.data;

import java.util.concurrent.atomic.LongAdder;

/** What the data path did since it started. Thread-safe; cheap enough for every request. */
public final class DataCounters {
    public final LongAdder reads = new LongAdder();
    public final LongAdder readBytes = new LongAdder();
    public final LongAdder writes = new LongAdder();
    public final LongAdder writtenBytes = new LongAdder();
    public final LongAdder commits = new LongAdder();
    public final LongAdder commitFailures = new LongAdder();
    public final LongAdder fsyncs = new LongAdder();
    public final LongAdder tokenWaits = new LongAdder();
}
