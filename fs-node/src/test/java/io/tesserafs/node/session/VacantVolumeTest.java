package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.node.namespace.OwnerFixture;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A session whose owner is gone while the next one has been elected, but is still reading the log. */
@Timeout(120)
class VacantVolumeTest {
    private static final int NODE = 2;
    private static final int OWNER_NODE = 1;
    private static final int ENOUGH = 20;
    private static final SessionTerms TERMS = new SessionTerms(12_000, 500);
    private static final long POLL_MS = 10;

    @TempDir
    Path directory;

    private final CountDownLatch lost = new CountDownLatch(1);
    private final AtomicInteger asked = new AtomicInteger();
    private volatile @Nullable Connection connection;
    private volatile boolean vacant;

    private final class Finder implements OwnerFinder {
        @Override
        public Whereabouts find(int volume) throws IOException {
            Connection known = connection;
            if (known == null) {
                throw new IOException("it is not ready");
            }
            return new Whereabouts(null, known);
        }

        @Override
        public boolean isVacant(int volume, long epoch) {
            asked.incrementAndGet();
            return vacant && epoch == 1;
        }
    }

    private final class Node extends QuietNode {
        @Override
        public void sessionLost() {
            lost.countDown();
        }

        @Override
        public boolean hasRivals() {
            return true;
        }
    }

    @Test
    void shouldOutliveItsLeaseWhileNobodyCanHaveGivenAwayWhatItHolds() throws Exception {
        NodeEndpoint endpoint = new NodeEndpoint();
        OwnerEndpoint service = new OwnerEndpoint();
        try (OwnerFixture fixture = new OwnerFixture(directory);
                OwnedVolume owner = OwnedVolumes.owned(fixture.owner(), TERMS);
                TokenCache tokens = new TokenCache(10)) {
            tokens.onRecall(new NothingCached());
            service.add(owner);
            Connection first = PairedConnection.between(
                    NODE, Map.of(NodeEndpoint.SERVICE, endpoint), OWNER_NODE, Map.of(OwnerEndpoint.SERVICE, service));
            connection = first;
            try (NodeSession session = new NodeSession(1, NODE, new Finder(), endpoint, tokens, new Node())) {
                session.locks().onLost(lock -> {});
                session.start();
                assertThat(session.awaitAttached(TimeUnit.MINUTES.toMillis(1))).isTrue();
                Runnable ownerDies = owner::close;
                vacant = true;
                connection = null;
                ownerDies.run();
                first.close();
                long outlived = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(TERMS.termMs() + 500);
                while (System.nanoTime() < outlived || asked.get() < ENOUGH) {
                    Thread.sleep(POLL_MS);
                }
                assertThat(session.state()).isEqualTo(NodeSession.State.DETACHED);
                assertThat(lost.getCount()).isPositive();
                vacant = false; // somebody has begun, and does not answer
                lost.await();
            }
        }
    }
}
