package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.Service;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A session whose connection breaks. */
@Timeout(60)
class ReattachedSessionTest {
    private static final int NODE = 2;
    private static final int OWNER_NODE = 1;
    private static final int BYTES = 4096;
    /** As many slices as a node reserves at a time. */
    private static final int BATCH = 32;

    private static final byte[] NAME = {'n'};

    @TempDir
    Path directory;

    private final NodeEndpoint endpoint = new NodeEndpoint();
    private final OwnerEndpoint service = new OwnerEndpoint();
    private final AtomicReference<Connection> connection = new AtomicReference<>();
    private volatile boolean losesNextAnswer;
    private OwnerFixture fixture;
    private OwnedVolume owner;
    private TokenCache tokens;
    private NodeSession session;

    /** The owner's side, behind a connection that may break before an answer is there. */
    private final class Lossy implements Service {
        @Override
        public ByteBuffer call(Connection from, ByteBuffer request) throws Exception {
            ByteBuffer answer = service.call(from, request);
            if (losesNextAnswer) {
                losesNextAnswer = false;
                breakConnection();
                throw new PeerException(PeerException.Reason.UNREACHABLE, "the answer is lost");
            }
            return answer;
        }

        @Override
        public void notified(Connection from, ByteBuffer message) {
            service.notified(from, message);
        }
    }

    @BeforeEach
    void attach() throws Exception {
        fixture = new OwnerFixture(directory);
        owner = OwnedVolumes.owned(fixture.owner(), OwnedVolumes.PATIENT);
        tokens = new TokenCache(10);
        tokens.onRecall(new NothingCached());
        service.add(owner);
        connection.set(connect());
        OwnerFinder finder = volume -> {
            Connection known = connection.get();
            if (known == null) {
                throw new IOException("it is away");
            }
            return new OwnerFinder.Whereabouts(null, known);
        };
        session = new NodeSession(1, NODE, finder, endpoint, tokens, new QuietNode());
        session.locks().onLost(lock -> {});
        session.start();
        assertThat(session.awaitAttached(TimeUnit.MINUTES.toMillis(1))).isTrue();
    }

    @AfterEach
    void end() {
        session.close();
        tokens.close();
        owner.close();
        fixture.close();
    }

    private Connection connect() {
        return PairedConnection.between(
                NODE, Map.of(NodeEndpoint.SERVICE, endpoint), OWNER_NODE, Map.of(OwnerEndpoint.SERVICE, new Lossy()));
    }

    private void breakConnection() {
        Connection old = connection.getAndSet(connect());
        old.close();
    }

    private void reattach() throws FsException {
        breakConnection();
        session.service().lookup(VolumeService.ROOT, NAME); // finds out, and waits for the next
    }

    private ExtentRef allocate() throws FsException {
        return session.service().allocate(BYTES, new BrickId(1));
    }

    private long allocations() {
        return session.counters().calls().get("allocate").sum();
    }

    @Test
    void shouldKeepTheSpaceThatIsReservedForIt() throws Exception {
        Set<ExtentRef> got = new HashSet<>();
        for (int i = 0; i < BATCH; i++) {
            assertThat(got.add(allocate())).isTrue();
            if (i % 8 == 0) {
                reattach();
            }
        }
        assertThat(allocations()).isEqualTo(1);
    }

    @Test
    void shouldGetSpaceOnceIfTheAnswerWasLost() throws Exception {
        losesNextAnswer = true;
        Set<ExtentRef> got = new HashSet<>();
        for (int i = 0; i < 2 * BATCH; i++) {
            assertThat(got.add(allocate())).isTrue();
        }
        assertThat(allocations()).isEqualTo(2);
        for (ExtentRef each : got) {
            session.service().release(each);
        }
        session.close(TimeUnit.MINUTES.toMillis(1)); // gives back what is in stock
        fixture.crashAndRestart();
        assertThat(fixture.check().problems()).isEmpty();
    }

    @Test
    void shouldForgetTheSpaceThatAnotherOwnerReserved() throws Exception {
        allocate();
        Connection old = connection.getAndSet(null);
        owner.close();
        service.remove(owner);
        owner = OwnedVolumes.owned(fixture.owner(), 2, OwnedVolumes.PATIENT, Map.of(session.id(), NODE));
        service.add(owner);
        connection.set(connect());
        old.close();
        session.service().lookup(VolumeService.ROOT, NAME);
        allocate();
        assertThat(allocations()).isEqualTo(2);
    }

    @Test
    void shouldSayGoodbyeToAnOwnerThatIsBackSoon() throws Exception {
        Connection old = connection.getAndSet(null);
        old.close();
        Thread caller = Thread.ofPlatform().start(() -> {
            try {
                session.service().lookup(VolumeService.ROOT, NAME);
            } catch (FsException e) {
                assertThat(session.state()).isEqualTo(NodeSession.State.CLOSED); // before it was answered
            }
        });
        while (session.state() != NodeSession.State.DETACHED) {
            Thread.onSpinWait();
        }
        Thread closer = Thread.ofPlatform().start(() -> session.close(TimeUnit.MINUTES.toMillis(1)));
        while (closer.getState() != Thread.State.TIMED_WAITING && closer.isAlive()) {
            Thread.onSpinWait();
        }
        connection.set(connect());
        closer.join();
        caller.join();
        assertThat(owner.sessions()).isEmpty();
    }
}
