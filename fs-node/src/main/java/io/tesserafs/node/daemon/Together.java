package io.tesserafs.node.daemon;

import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;

/** Puts a question to many at the same time, so that those that do not answer are waited for once. */
final class Together {
    private Together() {}

    /** Answers in the order of {@code items}. The question bounds its time itself, and does not throw. */
    static <T, R> List<R> ask(List<T> items, Function<T, R> question) {
        List<Future<R>> answers;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            answers = items.stream()
                    .map(item -> threads.submit(() -> question.apply(item)))
                    .toList();
        }
        return answers.stream().map(Future::resultNow).toList();
    }
}
