package io.tesserafs.coherence.token;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A token cache against the owner of its own host. What several nodes do to each other is in {@link TokenModelTest}. */
class TokenCacheTest {
    /** Of a file's data. */
    private static final int TILE_SHIFT = 21;

    private static final TokenClient.RecallHandler NOTHING_CACHED = new TokenClient.RecallHandler() {
        @Override
        public void invalidate(Resource inode, long fromByte, long toByte) {}

        @Override
        public void flush(Resource inode, long fromByte, long toByte, @Nullable Mode keep) {}
    };

    @Test
    void shouldCostALoneWriterOneRequestForTheWholeFile() throws Exception {
        LocalOwner owner = new LocalOwner();
        try (TokenCache cache = new TokenCache(owner.link(new SessionId(1)))) {
            cache.onRecall(NOTHING_CACHED);
            FileTokens tokens = cache.open(Resource.data(7));
            int first = tokens.enterNow(0, 4096, Mode.EXCLUSIVE);
            assertThat(first).isNotEqualTo(FileTokens.REFUSED);
            tokens.exit(first);
            for (long tile = 0; tile < 1000; tile++) {
                int ticket = tokens.tryEnter(tile << 21, (tile + 1) << 21, Mode.EXCLUSIVE);
                assertThat(ticket).as("tile " + tile).isNotEqualTo(FileTokens.REFUSED);
                tokens.exit(ticket);
            }
            tokens.close();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {10, 100_000})
    void shouldCostALoneWriterTheSameMessagesHoweverMuchItWrites(long tiles) throws Exception {
        LocalOwner owner = new LocalOwner();
        try (TokenCache other = new TokenCache(owner.link(new SessionId(1)));
                TokenCache writer = new TokenCache(owner.link(new SessionId(2)))) {
            other.onRecall(NOTHING_CACHED);
            writer.onRecall(NOTHING_CACHED);
            writeTiles(writer, tiles);
            assertThat(writer.counters().requests.sum()).isEqualTo(1);
            assertThat(writer.counters().grants.sum()).isEqualTo(1);
            assertThat(writer.counters().messages()).isEqualTo(2);
            assertThat(other.counters().messages()).isZero();
        }
    }

    /** Two messages to get and two to give for each step, whose length doubles up to {@link Foresight#MAX_BYTES}. */
    private static long mostMessages(long tiles) {
        return 4 * (32 + 2 * (tiles << TILE_SHIFT) / Foresight.MAX_BYTES);
    }

    @ParameterizedTest
    @ValueSource(longs = {10, 100, 10_000})
    void shouldCostWhoWorksThroughAFileOfAnotherNodeFewMessages(long tiles) throws Exception {
        LocalOwner owner = new LocalOwner();
        try (TokenCache reader = new TokenCache(owner.link(new SessionId(1)));
                TokenCache writer = new TokenCache(owner.link(new SessionId(2)))) {
            reader.onRecall(NOTHING_CACHED);
            writer.onRecall(NOTHING_CACHED);
            writeTiles(writer, tiles);
            use(reader, tiles, Mode.SHARED);
            assertThat(reader.counters().messages()).isLessThanOrEqualTo(mostMessages(tiles));
            writeTiles(writer, tiles);
            assertThat(writer.counters().messages()).isLessThanOrEqualTo(2 * mostMessages(tiles) + 2 * 64);
        }
    }

    @Test
    void shouldKeepWhatIsNotAskedForOfAFileThatIsInUse() throws Exception {
        LocalOwner owner = new LocalOwner();
        try (TokenCache reader = new TokenCache(owner.link(new SessionId(1)));
                TokenCache writer = new TokenCache(owner.link(new SessionId(2)))) {
            reader.onRecall(NOTHING_CACHED);
            writer.onRecall(NOTHING_CACHED);
            FileTokens written = writer.open(Resource.data(7));
            FileTokens read = reader.open(Resource.data(7));
            for (long tile = 0; tile < 50; tile++) {
                long used = (tile + 50) << TILE_SHIFT;
                written.exit(written.enter(used, used + 4096, Mode.EXCLUSIVE));
                read.exit(read.enter(tile << TILE_SHIFT, (tile + 1) << TILE_SHIFT, Mode.SHARED));
            }
            assertThat(writer.counters().requests.sum()).isEqualTo(1);
            int rest = written.tryEnter(50L << TILE_SHIFT, FileTokens.TO_END, Mode.EXCLUSIVE);
            assertThat(rest).isNotEqualTo(FileTokens.REFUSED);
            written.exit(rest);
            written.close();
            read.close();
        }
    }

    private static void writeTiles(TokenCache writer, long tiles) throws TokenException {
        use(writer, tiles, Mode.EXCLUSIVE);
    }

    private static void use(TokenCache cache, long tiles, Mode mode) throws TokenException {
        FileTokens tokens = cache.open(Resource.data(7));
        for (long tile = 0; tile < tiles; tile++) {
            tokens.exit(tokens.enter(tile << TILE_SHIFT, (tile + 1) << TILE_SHIFT, mode));
        }
        tokens.close();
    }

    @Test
    void shouldGiveUnusedTokensUpQuietlyWhenThereAreTooMany() throws Exception {
        LocalOwner owner = new LocalOwner();
        LongAdder told = new LongAdder();
        try (TokenCache cache = new TokenCache(owner.link(new SessionId(1)), 10)) {
            cache.onRecall(new TokenClient.RecallHandler() {
                @Override
                public void invalidate(Resource inode, long fromByte, long toByte) {
                    told.increment();
                }

                @Override
                public void flush(Resource inode, long fromByte, long toByte, @Nullable Mode keep) {}
            });
            for (int inode = 1; inode <= 500; inode++) {
                FileTokens tokens = cache.open(Resource.data(inode));
                tokens.exit(tokens.enter(0, 10, Mode.EXCLUSIVE));
                tokens.close();
            }
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
            while (cache.size() > 10 && System.nanoTime() < deadline) {
                Thread.onSpinWait();
            }
            assertThat(cache.size()).isLessThanOrEqualTo(10);
            assertThat(told.sum()).isZero();
        }
    }

    @Test
    void shouldGiveUpForGoodWhatWasReleasedBetweenTwoLinks() throws Exception {
        LocalOwner owner = new LocalOwner();
        OwnerLink link = owner.link(new SessionId(1));
        Resource file = Resource.data(7);
        try (TokenCache cache = new TokenCache(link, 0);
                TokenCache other = new TokenCache(owner.link(new SessionId(2)))) {
            cache.onRecall(NOTHING_CACHED);
            other.onRecall(NOTHING_CACHED);
            FileTokens tokens = cache.open(file);
            tokens.exit(tokens.enter(0, 4096, Mode.EXCLUSIVE));
            List<TokenMessage.Held> holds = cache.detach();
            assertThat(holds).hasSize(1);
            tokens.close(); // gives it back, since nothing unused is kept
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
            while (cache.size() > 0 && System.nanoTime() < deadline) {
                Thread.onSpinWait();
            }
            cache.attach(link, holds).join();
            FileTokens wanted = other.open(file);
            int ticket = wanted.enterNow(0, 4096, Mode.EXCLUSIVE);
            assertThat(ticket).isNotEqualTo(FileTokens.REFUSED);
            wanted.exit(ticket);
            wanted.close();
        }
    }

    private static final Resource OFFERED = Resource.attributes(9);

    @Test
    void shouldHoldWhatWasOfferedUntilSomebodyWantsIt() throws Exception {
        LocalOwner owner = new LocalOwner();
        try (TokenCache cache = new TokenCache(owner.link(new SessionId(1)));
                TokenCache other = new TokenCache(owner.link(new SessionId(2)))) {
            cache.onRecall(NOTHING_CACHED);
            other.onRecall(NOTHING_CACHED);
            long sequence = owner.offer(new SessionId(1), Mode.SHARED, OFFERED);
            assertThat(sequence).isPositive();
            assertThat(cache.isHeldSince(OFFERED, sequence)).isTrue();
            assertThat(owner.asOf(new SessionId(1), Mode.SHARED, OFFERED)).isEqualTo(sequence);
            FileTokens wanted = other.open(OFFERED);
            wanted.exit(wanted.enter(0, 4096, Mode.EXCLUSIVE));
            assertThat(cache.isHeldSince(OFFERED, sequence)).isFalse();
            wanted.close();
        }
    }

    @Test
    void shouldOfferNothingThatWouldHaveToBeRecalled() throws Exception {
        LocalOwner owner = new LocalOwner();
        LongAdder recalls = new LongAdder();
        try (TokenCache cache = new TokenCache(owner.link(new SessionId(1)));
                TokenCache other = new TokenCache(owner.link(new SessionId(2)))) {
            cache.onRecall(NOTHING_CACHED);
            other.onRecall(new TokenClient.RecallHandler() {
                @Override
                public void invalidate(Resource resource, long fromByte, long toByte) {
                    recalls.increment();
                }

                @Override
                public void flush(Resource resource, long fromByte, long toByte, @Nullable Mode keep) {}
            });
            FileTokens lane = other.open(OFFERED);
            lane.exit(lane.enter(8192, 12288, Mode.EXCLUSIVE));
            assertThat(owner.offer(new SessionId(1), Mode.SHARED, OFFERED)).isZero();
            assertThat(owner.asOf(new SessionId(1), Mode.SHARED, OFFERED)).isZero();
            assertThat(cache.size()).isZero();
            int still = lane.tryEnter(8192, 12288, Mode.EXCLUSIVE);
            assertThat(still).isNotEqualTo(FileTokens.REFUSED);
            lane.exit(still);
            assertThat(recalls.sum()).isZero();
            lane.close();
        }
    }

    @Test
    void shouldNotTrustAnAnswerFromBeforeTheTokenWasGivenUpAndTakenAgain() throws Exception {
        LocalOwner owner = new LocalOwner();
        try (TokenCache cache = new TokenCache(owner.link(new SessionId(1)));
                TokenCache other = new TokenCache(owner.link(new SessionId(2)))) {
            cache.onRecall(NOTHING_CACHED);
            other.onRecall(NOTHING_CACHED);
            long old = owner.offer(new SessionId(1), Mode.SHARED, OFFERED);
            FileTokens wanted = other.open(OFFERED);
            wanted.exit(wanted.enter(0, FileTokens.TO_END, Mode.EXCLUSIVE));
            FileTokens again = cache.open(OFFERED);
            again.exit(again.enter(0, FileTokens.TO_END, Mode.SHARED));
            assertThat(cache.isHeldSince(OFFERED, old)).isFalse();
            long fresh = owner.asOf(new SessionId(1), Mode.SHARED, OFFERED);
            assertThat(cache.isHeldSince(OFFERED, fresh)).isTrue();
            again.close();
            wanted.close();
        }
    }

    /** An owner whose words the test puts together. */
    private static final class ScriptedOwner implements OwnerLink {
        final BlockingQueue<TokenMessage.ToOwner> heard = new LinkedBlockingQueue<>();
        private volatile Receiver node = message -> {};
        /** What it has given the node by the time it connects, as far as it knows. */
        private volatile long given;

        @Override
        public void send(TokenMessage.ToOwner message) {
            heard.add(message);
        }

        @Override
        public CompletableFuture<Long> connect(List<TokenMessage.Held> holds, Receiver receiver) {
            node = receiver;
            return CompletableFuture.completedFuture(given);
        }

        void grant(long from, long to, Mode mode, long sequence) {
            node.receive(new TokenMessage.Grant(OFFERED, from, to, mode, sequence, TokenMessage.NOBODY_ASKED));
        }

        void recall(long from, long to) {
            node.receive(new TokenMessage.Recall(OFFERED, from, to, null));
        }
    }

    @Test
    void shouldNotTrustAnOwnerThatHadNotHeardYetWhatWasGivenUp() throws Exception {
        ScriptedOwner owner = new ScriptedOwner();
        try (TokenCache cache = new TokenCache(owner)) {
            cache.onRecall(NOTHING_CACHED);
            owner.grant(0, FileTokens.TO_END, Mode.SHARED, 10);
            assertThat(cache.isHeldSince(OFFERED, 10)).isTrue();
            owner.recall(4096, 8192);
            assertThat(owner.heard.poll(30, TimeUnit.SECONDS)).isInstanceOf(TokenMessage.Release.class);
            owner.grant(8192, 12288, Mode.EXCLUSIVE, 11); // passed the release on its way, as did an answer as of 11
            owner.grant(4096, 8192, Mode.SHARED, 20);
            assertThat(cache.isHeldSince(OFFERED, 11)).isFalse();
            assertThat(cache.isHeldSince(OFFERED, 20)).isTrue();
        }
    }

    @Test
    void shouldNotTakeAGrantFromBeforeTheLinkThatItComesBy() throws Exception {
        ScriptedOwner owner = new ScriptedOwner();
        try (TokenCache cache = new TokenCache(owner)) {
            cache.onRecall(NOTHING_CACHED);
            owner.given = 100;
            cache.attach(owner, cache.detach()).join();
            owner.grant(
                    0,
                    FileTokens.TO_END,
                    Mode.EXCLUSIVE,
                    100); // said before, and forgotten when the node said that it holds nothing
            assertThat(cache.size()).isZero();
            owner.grant(0, FileTokens.TO_END, Mode.EXCLUSIVE, 101);
            assertThat(cache.isHeldSince(OFFERED, 101)).isTrue();
        }
    }

    @Test
    void shouldNotTrustAnswersOfAnEarlierLink() throws Exception {
        LocalOwner owner = new LocalOwner();
        OwnerLink link = owner.link(new SessionId(1));
        try (TokenCache cache = new TokenCache(link)) {
            cache.onRecall(NOTHING_CACHED);
            FileTokens tokens = cache.open(OFFERED);
            tokens.exit(tokens.enter(0, FileTokens.TO_END, Mode.SHARED));
            long old = owner.asOf(new SessionId(1), Mode.SHARED, OFFERED);
            assertThat(cache.isHeldSince(OFFERED, old)).isTrue();
            cache.attach(link, cache.detach()).join();
            assertThat(cache.isHeldSince(OFFERED, old)).isFalse();
            tokens.close();
        }
    }

    @Test
    void shouldForgetWhatIsOfferedToASessionThatIsOver() throws Exception {
        LocalOwner owner = new LocalOwner();
        try (TokenCache cache = new TokenCache(owner.link(new SessionId(1)))) {
            cache.onRecall(NOTHING_CACHED);
            cache.endSession();
            long sequence = owner.offer(new SessionId(1), Mode.SHARED, OFFERED);
            assertThat(cache.isHeldSince(OFFERED, sequence)).isFalse();
            owner.endSession(new SessionId(1));
            assertThat(owner.offer(new SessionId(1), Mode.SHARED, OFFERED)).isZero();
        }
    }

    @Test
    void shouldOnlyForgetWhatIsCachedWhenTheSessionIsOver() throws Exception {
        List<Resource> forgotten = new ArrayList<>();
        try (TokenCache cache = new TokenCache(new LocalOwner().link(new SessionId(1)))) {
            cache.onRecall(new TokenClient.RecallHandler() {
                @Override
                public void invalidate(Resource resource, long fromByte, long toByte) {
                    throw new AssertionError("which waits for changes of others");
                }

                @Override
                public void forget(Resource resource) {
                    forgotten.add(resource);
                }

                @Override
                public void flush(Resource resource, long fromByte, long toByte, @Nullable Mode keep) {}
            });
            FileTokens tokens = cache.open(OFFERED);
            tokens.exit(tokens.enter(0, 4096, Mode.EXCLUSIVE));
            cache.endSession();
            assertThat(forgotten).containsExactly(OFFERED);
            tokens.close();
        }
    }
}
