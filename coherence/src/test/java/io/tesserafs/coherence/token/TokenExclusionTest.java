package io.tesserafs.coherence.token;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several nodes and one owner in one process: at any page either one node writes or any number read, and everybody gets on. */
class TokenExclusionTest {
    private static final int NODES = 3;
    private static final int THREADS = 2;
    private static final int PAGES = 8;
    private static final int PAGE = 4096;
    private static final int ROUNDS = 1000;

    /** Who is inside a page, by node. */
    private static final class Page {
        private final AtomicInteger[] writers = counters();
        private final AtomicInteger[] readers = counters();

        private static AtomicInteger[] counters() {
            return Stream.generate(AtomicInteger::new).limit(NODES).toArray(AtomicInteger[]::new);
        }

        void check(int node, Mode mode) {
            for (int other = 0; other < NODES; other++) {
                if (other != node) {
                    assertThat(writers[other].get()).as("another node writes").isZero();
                    if (mode == Mode.EXCLUSIVE) {
                        assertThat(readers[other].get())
                                .as("another node reads")
                                .isZero();
                    }
                }
            }
        }

        void enter(int node, Mode mode) {
            if (mode == Mode.EXCLUSIVE) {
                writers[node].incrementAndGet();
            } else {
                readers[node].incrementAndGet();
            }
        }

        void exit(int node, Mode mode) {
            if (mode == Mode.EXCLUSIVE) {
                writers[node].decrementAndGet();
            } else {
                readers[node].decrementAndGet();
            }
        }
    }

    private static final TokenClient.RecallHandler NOTHING_CACHED = new TokenClient.RecallHandler() {
        @Override
        public void invalidate(Resource inode, long fromByte, long toByte) {}

        @Override
        public void flush(Resource inode, long fromByte, long toByte, @Nullable Mode keep) {}
    };

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void shouldLetOneNodeWriteOrManyReadAndEverybodyFinish(long seed) throws Exception {
        LocalOwner owner = new LocalOwner();
        Page[] pages = new Page[PAGES];
        for (int i = 0; i < PAGES; i++) {
            pages[i] = new Page();
        }
        List<TokenCache> caches = new ArrayList<>();
        List<CompletableFuture<Void>> workers = new ArrayList<>();
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            for (int node = 0; node < NODES; node++) {
                TokenCache cache = new TokenCache(owner.link(new SessionId(node + 1)));
                cache.onRecall(NOTHING_CACHED);
                caches.add(cache);
                for (int thread = 0; thread < THREADS; thread++) {
                    int self = node;
                    Random random = new Random(seed * 100 + node * 10L + thread);
                    workers.add(CompletableFuture.runAsync(() -> work(cache, self, pages, random), threads));
                }
            }
            CompletableFuture.allOf(workers.toArray(CompletableFuture[]::new)).get(60, TimeUnit.SECONDS);
        } finally {
            caches.forEach(TokenCache::close);
            threads.shutdownNow();
        }
    }

    private static void work(TokenCache cache, int node, Page[] pages, Random random) {
        FileTokens tokens = cache.open(Resource.data(1));
        try {
            for (int i = 0; i < ROUNDS; i++) {
                int from = random.nextInt(PAGES);
                int to = from + 1 + random.nextInt(PAGES - from);
                Mode mode = random.nextInt(3) == 0 ? Mode.EXCLUSIVE : Mode.SHARED;
                int ticket = tokens.enter((long) from * PAGE, (long) to * PAGE, mode);
                try {
                    for (int p = from; p < to; p++) {
                        pages[p].enter(node, mode);
                    }
                    for (int p = from; p < to; p++) {
                        pages[p].check(node, mode);
                    }
                    for (int spins = random.nextInt(300); spins > 0; spins--) {
                        Thread.onSpinWait(); // long enough that recalls find somebody inside
                    }
                    for (int p = from; p < to; p++) {
                        pages[p].exit(node, mode);
                    }
                } finally {
                    tokens.exit(ticket);
                }
                if (random.nextInt(8) == 0) {
                    LockSupport.parkNanos(20_000); // away for a moment: the others get their turn
                }
            }
        } catch (TokenException e) {
            throw new AssertionError(e);
        } finally {
            tokens.close();
        }
    }
}
