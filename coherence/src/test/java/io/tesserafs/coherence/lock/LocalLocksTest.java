package io.tesserafs.coherence.lock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.lock.LockService.Waiting;
import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class LocalLocksTest {
    private static final SessionId NODE = new SessionId(1);
    private static final SessionId OTHER_NODE = new SessionId(2);
    private static final int THREADS = 4;
    private static final int ROUNDS = 2_000;

    private final LocalLocks locks = new LocalLocks();
    private final LockService node = locks.service(NODE);
    private final LockService otherNode = locks.service(OTHER_NODE);

    private static LockRequest request(LockService of, long owner, LockMode mode) {
        return new LockRequest(1, LockKind.POSIX, new LockOwner(of.session(), owner), 1, mode, 0, 9);
    }

    @Test
    void shouldAnswerAtOnceWhenNobodyIsInTheWay() {
        assertThat(node.setlk(1, request(node, 7, LockMode.WRITE), Waiting.YES))
                .isCompletedWithValue(LockResult.GRANTED);
        assertThat(node.setlk(2, request(node, 7, LockMode.READ), Waiting.NO)).isCompletedWithValue(LockResult.GRANTED);
        assertThat(otherNode.setlk(1, request(otherNode, 7, LockMode.WRITE), Waiting.NO))
                .isCompletedWithValue(LockResult.CONFLICT);
        assertThat(otherNode.getlk(request(otherNode, 7, LockMode.READ))).isCompletedWithValue(null);
        assertThat(locks.held(NODE).join()).hasSize(1);
        assertThat(locks.held(1L).join()).hasSize(1);
    }

    @Test
    void shouldEndWaitsByGrantCancelAndEndOfSession() {
        node.setlk(1, request(node, 7, LockMode.WRITE), Waiting.YES).join();
        CompletableFuture<LockResult> cancelled = node.setlk(2, request(node, 8, LockMode.WRITE), Waiting.YES);
        CompletableFuture<LockResult> granted = otherNode.setlk(2, request(otherNode, 7, LockMode.READ), Waiting.YES);
        CompletableFuture<LockResult> lost = node.setlk(3, request(node, 9, LockMode.WRITE), Waiting.UNCHECKED);
        assertThat(List.of(cancelled, granted, lost)).noneMatch(CompletableFuture::isDone);
        node.cancel(2);
        assertThat(cancelled).isCompletedWithValue(LockResult.INTERRUPTED);
        node.unlock(1, LockKind.POSIX, 7, 0, LockRequest.TO_END).join();
        assertThat(granted).isCompletedWithValue(LockResult.GRANTED);
        assertThat(lost).isNotDone();
        locks.endSession(NODE).join();
        assertThat(lost).isCompletedWithValue(LockResult.LOST);
        assertThat(node.setlk(4, request(node, 7, LockMode.READ), Waiting.NO)).isCompletedWithValue(LockResult.LOST);
        assertThat(node.setlk(5, request(node, 7, LockMode.READ), Waiting.YES)).isCompletedWithValue(LockResult.LOST);
    }

    @Test
    void shouldNotReviveASessionThatEnded() {
        locks.endSession(NODE).join();
        LockService again = locks.service(NODE);
        assertThat(again.setlk(1, request(again, 7, LockMode.WRITE), Waiting.NO))
                .isCompletedWithValue(LockResult.LOST);
        assertThat(locks.held(1L).join()).isEmpty();
    }

    @Test
    void shouldCancelARequestThatItsCancellationOvertook() {
        otherNode.setlk(1, request(otherNode, 7, LockMode.WRITE), Waiting.NO).join();
        node.cancel(5);
        node.cancel(6);
        assertThat(node.setlk(5, request(node, 8, LockMode.WRITE), Waiting.YES))
                .isCompletedWithValue(LockResult.INTERRUPTED);
        otherNode.releaseOwner(1, LockKind.POSIX, 7).join();
        // It need not wait, so it has what it wants.
        assertThat(node.setlk(6, request(node, 8, LockMode.WRITE), Waiting.YES))
                .isCompletedWithValue(LockResult.GRANTED);
    }

    @Test
    void shouldRefuseOwnersOfOtherSessions() {
        assertThatThrownBy(() -> node.setlk(1, request(otherNode, 7, LockMode.READ), Waiting.NO))
                .isInstanceOf(IllegalArgumentException.class);
    }

    /** Threads that lock, are cancelled, and unlock: never two inside, and everyone comes to an end. */
    @Test
    void shouldExcludeThreadsFromEachOther() throws Exception {
        long seed = System.nanoTime();
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger entered = new AtomicInteger();
        AtomicLong ids = new AtomicLong();
        List<CompletableFuture<Void>> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            int owner = i;
            LockService service = i % 2 == 0 ? node : otherNode;
            Random random = new Random(seed + i);
            threads.add(CompletableFuture.runAsync(
                    () -> {
                        for (int round = 0; round < ROUNDS; round++) {
                            long id = ids.incrementAndGet();
                            CompletableFuture<LockResult> end =
                                    service.setlk(id, request(service, owner, LockMode.WRITE), Waiting.YES);
                            if (random.nextInt(4) == 0) {
                                service.cancel(id);
                            }
                            if (end.join() == LockResult.GRANTED) {
                                assertThat(inside.incrementAndGet()).isEqualTo(1);
                                entered.incrementAndGet();
                                inside.decrementAndGet();
                                service.releaseOwner(1, LockKind.POSIX, owner).join();
                            }
                        }
                    },
                    command -> Thread.ofPlatform().start(command)));
        }
        for (CompletableFuture<Void> thread : threads) {
            thread.get(60, TimeUnit.SECONDS);
        }
        assertThat(entered.get()).as("seed %d", seed).isGreaterThan(ROUNDS);
        assertThat(locks.held(1L).join()).isEmpty();
    }
}
