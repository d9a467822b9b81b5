package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCReqNotify;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class CompletionsTest {
    /** Who is not woken does not come back within this test. */
    private static final int FOR_GOOD_MS = (int) TimeUnit.HOURS.toMillis(1);

    private final IbvWC[] batch = {new IbvWC(), new IbvWC(), new IbvWC(), new IbvWC()};
    private final CountDownLatch polled = new CountDownLatch(1);
    private final CountDownLatch arrived = new CountDownLatch(1);

    /** One completion for each poll: of slot 0 when it has arrived, then of slot 1. */
    private final class OneByOne extends SVCPollCq {
        private int polls;

        @Override
        public SVCPollCq execute() {
            polled.countDown();
            try {
                arrived.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            batch[0].setWr_id(polls);
            batch[0].setStatus(0);
            polls++;
            return this;
        }

        @Override
        public int getPolls() {
            return 1;
        }

        @Override
        public boolean isValid() {
            return true;
        }

        @Override
        public SVCPollCq free() {
            return this;
        }
    }

    private static final class NoNotify extends SVCReqNotify {
        @Override
        public SVCReqNotify execute() {
            return this;
        }

        @Override
        public boolean isValid() {
            return true;
        }

        @Override
        public SVCReqNotify free() {
            return this;
        }
    }

    @Test
    void shouldWakeASleeperWhenTheOneThatSpinsLeaves() throws Exception {
        Slot[] slots = {FakeSend.slot(0), FakeSend.slot(1)};
        Completions completions = new Completions(
                batch, new OneByOne(), new NoNotify(), timeoutMs -> false, overdue -> {}, FOR_GOOD_MS, slots);
        for (Slot slot : slots) {
            slot.postRead(0, 0, 1);
        }
        CompletableFuture<Integer> first = new CompletableFuture<>();
        CompletableFuture<Integer> second = new CompletableFuture<>();
        waiter(completions, slots[0], first).start();
        polled.await(); // it polls, and keeps the others from it
        Thread sleeper = waiter(completions, slots[1], second);
        sleeper.start();
        while (sleeper.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        arrived.countDown();
        assertThat(first.get()).isZero();
        assertThat(second.get()).isZero();
    }

    private static Thread waiter(Completions completions, Slot slot, CompletableFuture<Integer> outcome) {
        return Thread.ofPlatform().daemon().unstarted(() -> {
            try {
                completions.await(slot);
                outcome.complete(slot.status());
            } catch (Exception e) {
                outcome.completeExceptionally(e);
            }
        });
    }
}
