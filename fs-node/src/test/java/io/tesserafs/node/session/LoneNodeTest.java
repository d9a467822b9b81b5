package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionTable;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.OwnerFixture;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A second node comes while the first, which believes to be alone, cannot be told. */
@Timeout(60)
class LoneNodeTest {
    private static final SessionTerms SHORT = new SessionTerms(1000, 100);
    private static final SessionId FIRST = new SessionId(0xA);
    private static final SessionId SECOND = new SessionId(0xB);
    private static final SessionId THIRD = new SessionId(0xC);

    @TempDir
    Path directory;

    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final CountDownLatch fencing = new CountDownLatch(1);
    private final CountDownLatch fenceEnds = new CountDownLatch(1);
    private final Queue<String> events = new ConcurrentLinkedQueue<>();
    private OwnerFixture fixture;

    /** Its connection is broken, as soon as it is told that it is not alone. */
    private static final class BrokenEnd extends QuietEnd {
        final CountDownLatch told = new CountDownLatch(1);
        final CountDownLatch asked;

        BrokenEnd(int times) {
            asked = new CountDownLatch(times);
        }

        @Override
        public void alone(boolean alone) throws IOException {
            if (alone) {
                told.countDown();
            } else {
                asked.countDown();
                throw new IOException("connection lost");
            }
        }
    }

    @BeforeEach
    void start() throws Exception {
        fixture = new OwnerFixture(directory);
    }

    @AfterEach
    void stop() {
        fenceEnds.countDown();
        threads.shutdownNow();
        fixture.close();
    }

    private OwnedVolume owner(SessionTerms terms) {
        return OwnedVolumes.owned(fixture.owner(), 1, terms, Map.of(), (victim, node) -> {
            if (victim.equals(FIRST)) {
                fencing.countDown();
                fenceEnds.await();
                events.add("fenced");
            }
        });
    }

    private static OwnedVolume.@Nullable Attached attach(
            OwnedVolume owner, SessionId session, int node, int number, NodeEnd end) throws IOException {
        return owner.attach(session, false, new SessionCodec.Opening(node, number, List.of()), end);
    }

    private static void attachAlone(OwnedVolume owner, BrokenEnd end) throws Exception {
        assertThat(attach(owner, FIRST, 1, 1, end)).isNotNull();
        owner.settled();
        end.told.await();
    }

    private Future<OwnedVolume.@Nullable Attached> attachInBackground(OwnedVolume owner, SessionId session, int node) {
        return threads.submit(() -> {
            OwnedVolume.Attached attached = attach(owner, session, node, 1, new QuietEnd());
            events.add("let in");
            return attached;
        });
    }

    @Test
    void shouldKeepTheSessionOfANodeThatIsBackInTime() throws Exception {
        try (OwnedVolume owner = owner(OwnedVolumes.PATIENT)) {
            BrokenEnd end = new BrokenEnd(2);
            attachAlone(owner, end);
            Future<OwnedVolume.Attached> second = attachInBackground(owner, SECOND, 2);
            Future<OwnedVolume.Attached> third = attachInBackground(owner, THIRD, 3);
            end.asked.await(); // for each of them
            assertThat(attach(owner, FIRST, 1, 2, new QuietEnd())).isNotNull();
            assertThat(second.get()).isNotNull();
            assertThat(third.get()).isNotNull();
            assertThat(owner.sessions()).extracting(SessionView::state).containsOnly(SessionTable.State.ACTIVE);
            assertThat(owner.sessions()).extracting(SessionView::id).contains(FIRST, SECOND, THIRD);
        }
    }

    @Test
    void shouldLetNobodyInBeforeANodeThatStaysAwayIsFenced() throws Exception {
        try (OwnedVolume owner = owner(SHORT)) {
            BrokenEnd end = new BrokenEnd(1);
            attachAlone(owner, end);
            Future<OwnedVolume.Attached> second = attachInBackground(owner, SECOND, 2);
            fencing.await();
            fenceEnds.countDown();
            assertThat(second.get()).isNotNull();
            assertThat(events).containsExactly("fenced", "let in");
        }
    }

    @Test
    void shouldLetNobodyInWhileTheNodeIsBeingFenced() throws Exception {
        try (OwnedVolume owner = owner(SHORT)) {
            BrokenEnd end = new BrokenEnd(1);
            attachAlone(owner, end);
            var _ = threads.submit(() -> owner.evict(FIRST));
            fencing.await();
            Thread second = Thread.ofPlatform().start(() -> {
                try {
                    attach(owner, SECOND, 2, 1, new QuietEnd());
                    events.add("let in");
                } catch (IOException e) {
                    events.add(String.valueOf(e));
                }
            });
            end.asked.await();
            while (second.getState() == Thread.State.RUNNABLE) {
                Thread.onSpinWait();
            }
            fenceEnds.countDown();
            second.join();
            assertThat(events).containsExactly("fenced", "let in");
        }
    }

    @Test
    void shouldLetANewSessionOfTheSameNodeInAtOnce() throws Exception {
        try (OwnedVolume owner = owner(OwnedVolumes.PATIENT)) {
            attachAlone(owner, new BrokenEnd(1));
            assertThat(attach(owner, SECOND, 1, 1, new QuietEnd())).isNotNull();
        }
    }

    @Test
    void shouldLetNobodyInAnyMoreOnceTheOwnerIsClosed() throws Exception {
        BrokenEnd end = new BrokenEnd(1);
        Future<OwnedVolume.Attached> second;
        try (OwnedVolume owner = owner(OwnedVolumes.PATIENT)) {
            attachAlone(owner, end);
            second = attachInBackground(owner, SECOND, 2);
            end.asked.await();
        }
        assertThatThrownBy(second::get).hasCauseInstanceOf(IOException.class);
    }
}
