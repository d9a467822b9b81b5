package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.node.namespace.OwnerFixture;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodeSessionTest {
    private static final int PATIENCE_S = 60;

    @TempDir
    Path directory;

    private static void awaitQuietly(CountDownLatch latch) throws IOException {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }

    @Test
    void shouldEndWithItsLeaseEvenWhileTheOwnerIsBeingSought() throws Exception {
        CountDownLatch lost = new CountDownLatch(1);
        CountDownLatch done = new CountDownLatch(1);
        AtomicInteger searches = new AtomicInteger();
        try (OwnerFixture fixture = new OwnerFixture(directory);
                OwnedVolume owner = OwnedVolumes.owned(fixture.owner(), new SessionTerms(15_000, 500));
                TokenCache tokens = new TokenCache(10)) {
            tokens.onRecall(new NothingCached());
            OwnerFinder finder = volume -> {
                if (searches.incrementAndGet() > 1) {
                    awaitQuietly(done); // as a search that takes longer than the lease
                    throw new IOException("no owner");
                }
                return new OwnerFinder.Whereabouts(owner, null);
            };
            QuietNode node = new QuietNode() {
                @Override
                public void sessionLost() {
                    lost.countDown();
                }
            };
            try (NodeSession session = new NodeSession(1, 1, finder, new NodeEndpoint(), tokens, node)) {
                Runnable ownerDies = owner::close;
                session.start();
                assertThat(session.awaitAttached(TimeUnit.SECONDS.toMillis(PATIENCE_S)))
                        .isTrue();
                FileTokens file = tokens.open(Resource.data(7));
                file.exit(file.enter(0, 4096, Mode.EXCLUSIVE));
                ownerDies.run();
                assertThat(lost.await(PATIENCE_S, TimeUnit.SECONDS)).isTrue();
                assertThat(done.getCount()).isPositive();
                assertThat(session.state()).isEqualTo(NodeSession.State.NONE);
                assertThat(file.tryEnter(0, 4096, Mode.SHARED)).isEqualTo(FileTokens.REFUSED);
                file.close();
            } finally {
                done.countDown();
            }
        }
    }
}
