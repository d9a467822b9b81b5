package io.tesserafs.coherence.token;

import java.util.concurrent.atomic.LongAdder;

/** Messages between one node and the owner of a volume since the node's cache was made, by kind. Thread-safe. */
public final class TokenCounters {
    public final LongAdder requests = new LongAdder();
    public final LongAdder releases = new LongAdder();
    public final LongAdder grants = new LongAdder();
    public final LongAdder recalls = new LongAdder();

    void count(TokenMessage message) {
        switch (message) {
            case TokenMessage.Request _ -> requests.increment();
            case TokenMessage.Release _ -> releases.increment();
            case TokenMessage.Grant _ -> grants.increment();
            case TokenMessage.Recall _, TokenMessage.Yield _ -> recalls.increment();
        }
    }

    /** Of both directions and all kinds. */
    public long messages() {
        return requests.sum() + releases.sum() + grants.sum() + recalls.sum();
    }
}
