package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EndingTest {
    private final Ending ending = new Ending();
    private final AtomicBoolean ended = new AtomicBoolean();

    @Test
    void shouldLetNobodyGoOnBeforeTheEndIsMade() throws Exception {
        CompletableFuture<Boolean> seen = new CompletableFuture<>();
        Thread other = new Thread(() -> {
            ending.run(() -> seen.completeExceptionally(new AssertionError("made twice")));
            seen.complete(ended.get() && Thread.currentThread().isInterrupted());
        });
        ending.run(() -> {
            other.start();
            awaitWaiting(other);
            other.interrupt();
            while (other.isInterrupted()) {
                Thread.onSpinWait(); // until it has noticed
            }
            awaitWaiting(other);
            ended.set(true);
        });
        assertThat(seen.get()).isTrue();
    }

    private static void awaitWaiting(Thread thread) {
        while (thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
    }

    @Test
    void shouldHoldNobodyWhenTheEndFailed() {
        assertThatThrownBy(() -> ending.run(() -> {
                    throw new IllegalStateException("a bug");
                }))
                .hasMessage("a bug");
        ending.run(() -> ended.set(true));
        assertThat(ended).isFalse();
    }
}
