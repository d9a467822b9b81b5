package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LockKind;
import io.tesserafs.coherence.lock.LockMode;
import io.tesserafs.coherence.lock.LockOwner;
import io.tesserafs.coherence.lock.LockRequest;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.coherence.lock.LockService.Waiting;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.node.namespace.OwnerFixture;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** File locks of a node whose volume's owner moves: between this node and another, or on one of them. */
class SessionLocksTest {
    private static final int PATIENCE_S = 30;
    private static final long FILE = 5;
    private static final int NODE = 1;
    private static final int OWNER_NODE = 2;
    private static final SessionId STRANGER = new SessionId(99);
    private static final SessionTerms TERMS = new SessionTerms(30_000, 500);

    @TempDir
    Path directory;

    private OwnerFixture fixture;
    private TokenCache tokens;
    private NodeSession session;
    private LockService locks;
    private long epoch;
    private long request;
    private final List<OwnedVolume> owners = new ArrayList<>();
    private final NodeEndpoint endpoint = new NodeEndpoint();
    private final BlockingQueue<HeldLock> lost = new LinkedBlockingQueue<>();
    private final CountDownLatch sessionLost = new CountDownLatch(1);
    private volatile OwnerFinder.@Nullable Whereabouts owner;

    @BeforeEach
    void start() throws Exception {
        fixture = new OwnerFixture(directory);
        tokens = new TokenCache(10);
        tokens.onRecall(new NothingCached());
    }

    private void begin(boolean here, SessionTerms terms) throws Exception {
        own(here, terms, Map.of());
        OwnerFinder finder = volume -> {
            OwnerFinder.Whereabouts known = owner;
            if (known == null) {
                throw new IOException("nobody owns it");
            }
            return known;
        };
        session = new NodeSession(1, NODE, finder, endpoint, tokens, new QuietNode() {
            @Override
            public void sessionLost() {
                sessionLost.countDown();
            }
        });
        locks = session.locks();
        locks.onLost(lost::add);
        session.start();
        assertThat(session.awaitAttached(TimeUnit.SECONDS.toMillis(PATIENCE_S))).isTrue();
    }

    /** Makes an owner, in this process or as if in another. */
    private OwnedVolume own(boolean here, SessionTerms terms, Map<SessionId, Integer> inherited) {
        return own(here, terms, inherited, next -> {});
    }

    /** @param before what comes before the session finds it */
    private OwnedVolume own(
            boolean here, SessionTerms terms, Map<SessionId, Integer> inherited, Consumer<OwnedVolume> before) {
        OwnedVolume made = OwnedVolumes.owned(fixture.owner(), ++epoch, terms, inherited);
        owners.add(made);
        before.accept(made);
        if (here) {
            owner = new OwnerFinder.Whereabouts(made, null);
        } else {
            OwnerEndpoint service = new OwnerEndpoint();
            service.add(made);
            Connection connection = PairedConnection.between(
                    NODE, Map.of(NodeEndpoint.SERVICE, endpoint), OWNER_NODE, Map.of(OwnerEndpoint.SERVICE, service));
            owner = new OwnerFinder.Whereabouts(null, connection);
        }
        return made;
    }

    /** The owner stops; what it would still say does not count. */
    private void depose() {
        OwnerFinder.Whereabouts last = owner;
        owner = null;
        owners.getLast().close();
        if (last.there() != null) {
            last.there().close();
        }
    }

    private OwnedVolume succeed(boolean here) {
        return own(here, TERMS, Map.of(session.id(), NODE));
    }

    @AfterEach
    void stop() {
        session.close();
        owners.forEach(OwnedVolume::close);
        tokens.close();
        fixture.close();
    }

    private static LockRequest lock(SessionId of, LockMode mode, long first, long last) {
        return new LockRequest(FILE, LockKind.POSIX, new LockOwner(of, 7), 42, mode, first, last);
    }

    private CompletableFuture<LockResult> ask(long first, long last, Waiting waiting) {
        return locks.setlk(++request, lock(session.id(), LockMode.WRITE, first, last), waiting);
    }

    private static void lockByStranger(OwnedVolume at, long first, long last) {
        assertThat(at.locks()
                        .service(STRANGER)
                        .setlk(1, lock(STRANGER, LockMode.WRITE, first, last), Waiting.NO)
                        .join())
                .isEqualTo(LockResult.GRANTED);
    }

    private static void restoreStranger(OwnedVolume at, long first, long last) {
        at.locks().service(STRANGER);
        assertThat(at.locks()
                        .restore(new HeldLock(
                                FILE, LockKind.POSIX, new LockOwner(STRANGER, 7), 42, LockMode.WRITE, first, last))
                        .join())
                .isEqualTo(LockResult.GRANTED);
    }

    private static void unlockByStranger(OwnedVolume at) {
        at.locks().service(STRANGER).releaseOwner(FILE, LockKind.POSIX, 7).join();
    }

    private static LockResult await(CompletableFuture<LockResult> end) throws Exception {
        return end.get(PATIENCE_S, TimeUnit.SECONDS);
    }

    /** Asks for what is held by another, and returns when the owner knows. */
    private CompletableFuture<LockResult> queue(OwnedVolume at, long first, long last) {
        CompletableFuture<LockResult> end = ask(first, last, Waiting.YES);
        while (at.locks().waiting().join() == 0) {
            assertThat(end).isNotDone();
        }
        return end;
    }

    private List<HeldLock> heldAt(OwnedVolume at) {
        return at.locks().held(session.id()).join();
    }

    @ParameterizedTest
    @CsvSource({"true, true", "true, false", "false, true", "false, false"})
    void shouldGoOnWaitingAtTheNextOwner(boolean fromHere, boolean toHere) throws Exception {
        begin(fromHere, TERMS);
        lockByStranger(owners.getLast(), 0, 9);
        CompletableFuture<LockResult> waiting = queue(owners.getLast(), 5, 14);
        OwnedVolume before = owners.getLast();
        depose();
        unlockByStranger(before);
        OwnedVolume next = own(toHere, TERMS, Map.of(session.id(), NODE, STRANGER, 3));
        restoreStranger(next, 0, 9);
        next.restored(STRANGER);
        assertThat(session.awaitAttached(TimeUnit.SECONDS.toMillis(PATIENCE_S))).isTrue();
        assertThat(waiting).isNotDone();
        unlockByStranger(next);
        assertThat(await(waiting)).isEqualTo(LockResult.GRANTED);
        assertThat(heldAt(next)).hasSize(1);
    }

    @ParameterizedTest
    @CsvSource({"true, true", "true, false", "false, true", "false, false"})
    void shouldInterruptAWaitThatHasMoved(boolean fromHere, boolean toHere) throws Exception {
        begin(fromHere, TERMS);
        lockByStranger(owners.getLast(), 0, 9);
        CompletableFuture<LockResult> waiting = queue(owners.getLast(), 5, 14);
        depose();
        locks.cancel(request);
        OwnedVolume next = own(toHere, TERMS, Map.of(session.id(), NODE), made -> restoreStranger(made, 0, 9));
        assertThat(await(waiting)).isEqualTo(LockResult.INTERRUPTED);
        assertThat(heldAt(next)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"true, true", "true, false", "false, true", "false, false"})
    void shouldKeepWhatItHoldsAndSayWhatItLost(boolean fromHere, boolean toHere) throws Exception {
        begin(fromHere, TERMS);
        assertThat(await(ask(0, 9, Waiting.NO))).isEqualTo(LockResult.GRANTED);
        assertThat(await(ask(20, 29, Waiting.YES))).isEqualTo(LockResult.GRANTED);
        assertThat(await(ask(40, 49, Waiting.YES))).isEqualTo(LockResult.GRANTED);
        assertThat(await(locks.unlock(FILE, LockKind.POSIX, 7, 40, 49))).isEqualTo(LockResult.GRANTED);
        depose();
        OwnedVolume next =
                own(toHere, TERMS, Map.of(session.id(), NODE, STRANGER, 3), made -> restoreStranger(made, 5, 5));
        next.restored(STRANGER);
        HeldLock gone = lost.poll(PATIENCE_S, TimeUnit.SECONDS);
        assertThat(gone).isNotNull();
        assertThat(gone.firstByte()).isZero();
        assertThat(gone.lastByte()).isEqualTo(9);
        assertThat(session.awaitAttached(TimeUnit.SECONDS.toMillis(PATIENCE_S))).isTrue();
        assertThat(heldAt(next))
                .singleElement()
                .satisfies(held -> assertThat(held.firstByte()).isEqualTo(20));
        assertThat(lost).isEmpty();
        assertThat(await(ask(60, 69, Waiting.NO))).isEqualTo(LockResult.GRANTED);
        assertThat(heldAt(next)).hasSize(2);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldLoseAllWithTheSession(boolean here) throws Exception {
        begin(here, new SessionTerms(6_000, 500)); // another node takes our margin for granted
        assertThat(await(ask(0, 9, Waiting.NO))).isEqualTo(LockResult.GRANTED);
        lockByStranger(owners.getLast(), 20, 29);
        CompletableFuture<LockResult> waiting = queue(owners.getLast(), 20, 29);
        depose();
        assertThat(sessionLost.await(PATIENCE_S, TimeUnit.SECONDS)).isTrue();
        assertThat(await(waiting)).isEqualTo(LockResult.LOST);
        assertThat(lost).hasSize(1);
    }

    @Test
    void shouldNotLoseWhatWasReleasedMeanwhile() throws Exception {
        begin(true, TERMS);
        assertThat(await(ask(0, 9, Waiting.NO))).isEqualTo(LockResult.GRANTED);
        depose();
        CompletableFuture<LockResult> released = locks.releaseOwner(FILE, LockKind.POSIX, 7);
        OwnedVolume next = succeed(false);
        assertThat(await(released)).isEqualTo(LockResult.GRANTED);
        assertThat(heldAt(next)).isEmpty();
        assertThat(lost).isEmpty();
    }
}
