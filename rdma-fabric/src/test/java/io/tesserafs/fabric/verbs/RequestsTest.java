package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RequestsTest {
    private static final int ACCESS_ERROR = 10;

    private final AtomicInteger destroyed = new AtomicInteger();
    private final Requests requests = new Requests("the queue pair", 1, this::destroy);

    /** As a queue pair does, which waits for what is under way. */
    private void destroy() {
        destroyed.incrementAndGet();
        requests.kill();
        requests.awaitIdle();
    }

    @BeforeEach
    void makeRoom() {
        requests.use(FakeSend.slot(0));
    }

    @Test
    void shouldDestroyTheQueuePairBeforeMemoryGoesBackWhoseRequestIsDue() {
        assertThatThrownBy(() -> requests.run(slot -> {
                    slot.postRead(0, 0, 1);
                    throw new IOException("completions cannot be polled");
                }))
                .isInstanceOf(QueuePairException.class)
                .hasMessage("the queue pair: completions cannot be polled");
        assertThat(destroyed).hasValue(1);
        assertThat(requests.isUsable()).isFalse();
    }

    @Test
    void shouldDestroyItWhateverEndedTheOperation() {
        assertThatThrownBy(() -> requests.run(slot -> {
                    slot.postRead(0, 0, 1);
                    throw new IllegalStateException("a bug");
                }))
                .isInstanceOf(IllegalStateException.class);
        assertThat(destroyed).hasValue(1);
        assertThat(requests.isUsable()).isFalse();
    }

    @Test
    void shouldOnlyFailAfterARequestThatTheDeviceHandedBack() {
        assertThatThrownBy(() -> requests.run(slot -> {
                    slot.postRead(0, 0, 1);
                    slot.complete(ACCESS_ERROR);
                    throw new QueuePairException("refused");
                }))
                .isInstanceOf(QueuePairException.class)
                .hasMessage("refused");
        assertThat(destroyed).hasValue(0);
        assertThatThrownBy(() -> requests.run(slot -> {})).hasMessage("the queue pair failed");
        assertThat(destroyed).hasValue(0);
    }

    @Test
    void shouldGiveASlotWhoseRequestIsDueToNobodyElse() throws Exception {
        AtomicBoolean ran = new AtomicBoolean();
        CompletableFuture<@Nullable Throwable> outcome = new CompletableFuture<>();
        Thread waiting = new Thread(
                () -> outcome.complete(catchThrowable(() -> requests.run(slot -> ran.set(true)))), "waits for a slot");
        assertThatThrownBy(() -> requests.run(slot -> {
                    slot.postRead(0, 0, 1);
                    waiting.start();
                    while (waiting.getState() != Thread.State.WAITING) {
                        Thread.onSpinWait();
                    }
                    throw new IOException("completions cannot be polled");
                }))
                .isInstanceOf(QueuePairException.class);
        assertThat(outcome.get()).isInstanceOf(QueuePairException.class);
        assertThat(ran).isFalse();
    }

    @Test
    void shouldBeginNothingOnceKilled() throws Exception {
        requests.run(slot -> {});
        assertThat(requests.kill()).isTrue();
        assertThat(requests.kill()).isFalse();
        requests.awaitIdle();
        assertThatThrownBy(() -> requests.run(slot -> {})).hasMessage("the queue pair is closed");
    }
}
