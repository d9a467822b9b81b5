package io.tesserafs.node.session;

import java.nio.ByteBuffer;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * The calls of one session that were answered but may have to be answered again, because the connection broke before the node had it in hand. Bounded by
 * what the node has under way. Thread-safe.
 */
final class AnsweredCalls {
    /** Guarded by this. */
    private final TreeMap<Long, CompletableFuture<ByteBuffer>> answers = new TreeMap<>();

    private long floor;

    /** The answer of the call with that number: {@code work} runs at most once for it. May block while it runs elsewhere. */
    ByteBuffer once(long number, long answeredBelow, Supplier<ByteBuffer> work) {
        CompletableFuture<ByteBuffer> answer;
        boolean first;
        synchronized (this) {
            if (answeredBelow > floor) {
                floor = answeredBelow;
                answers.headMap(answeredBelow).clear();
            }
            if (number < floor) {
                throw new IllegalArgumentException("call " + number + " has been answered already");
            }
            first = !answers.containsKey(number);
            answer = answers.computeIfAbsent(number, n -> new CompletableFuture<>());
        }
        if (first) {
            try {
                answer.complete(work.get());
            } catch (RuntimeException e) {
                answer.completeExceptionally(e);
            }
        }
        return answer.join().duplicate().order(java.nio.ByteOrder.LITTLE_ENDIAN);
    }
}
