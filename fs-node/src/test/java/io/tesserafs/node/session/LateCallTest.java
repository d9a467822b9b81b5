package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Calls to an owner that is away for a while. */
@Timeout(60)
class LateCallTest {
    private static final int NODE = 2;
    private static final int OWNER_NODE = 1;
    private static final byte[] NAME = "name".getBytes(StandardCharsets.UTF_8);

    @TempDir
    Path directory;

    private final NodeEndpoint endpoint = new NodeEndpoint();
    private final OwnerEndpoint service = new OwnerEndpoint();
    private final AtomicInteger asked = new AtomicInteger();
    private volatile @Nullable Connection connection;
    private OwnerFixture fixture;
    private OwnedVolume owner;
    private TokenCache tokens;
    private NodeSession session;

    @BeforeEach
    void attach() throws Exception {
        fixture = new OwnerFixture(directory);
        owner = OwnedVolumes.owned(fixture.owner(), OwnedVolumes.PATIENT);
        tokens = new TokenCache(10);
        tokens.onRecall(new NothingCached());
        service.add(owner);
        connection = connect();
        OwnerFinder finder = volume -> {
            Connection known = connection;
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
    void end() throws Exception {
        session.close();
        tokens.close();
        owner.close();
        fixture.close();
    }

    private Connection connect() throws IOException {
        return PairedConnection.between(
                NODE, Map.of(NodeEndpoint.SERVICE, endpoint), OWNER_NODE, Map.of(OwnerEndpoint.SERVICE, service));
    }

    private InodeAttr create(boolean stillTrue) throws FsException {
        return ScopedValue.where(VolumeService.IF_STILL_TRUE, () -> {
                    asked.incrementAndGet();
                    return stillTrue;
                })
                .call(() -> session.service()
                        .create(VolumeService.ROOT, NAME, InodeAttr.S_IFREG | 0644, 0, null, new Creator(0, 0), 1));
    }

    private CompletableFuture<InodeAttr> createWhileTheOwnerIsAway(boolean stillTrue) throws Exception {
        Connection first = connection;
        connection = null;
        assertThat(first).isNotNull();
        first.close();
        CompletableFuture<InodeAttr> created = new CompletableFuture<>();
        Thread caller = Thread.ofPlatform().start(() -> {
            try {
                created.complete(create(stillTrue));
            } catch (FsException e) {
                created.completeExceptionally(e);
            }
        });
        while (caller.getState() != Thread.State.WAITING) { // for an owner
            Thread.onSpinWait();
        }
        connection = connect();
        return created;
    }

    @Test
    void shouldNotAskAboutWhatIsSentAtOnce() throws Exception {
        create(false);
        assertThat(asked).hasValue(0);
    }

    @Test
    void shouldBeMadeLateIfTheyAreStillTrue() throws Exception {
        InodeAttr created = createWhileTheOwnerIsAway(true).get();
        assertThat(asked.get()).isPositive();
        assertThat(fixture.owner().lookup(VolumeService.ROOT, NAME).ino()).isEqualTo(created.ino());
    }

    @Test
    void shouldFailIfTheyAreNotTrueAnyMore() throws Exception {
        CompletableFuture<InodeAttr> created = createWhileTheOwnerIsAway(false);
        assertThatThrownBy(created::get)
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOfSatisfying(
                        FsException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EIO));
        assertThat(fixture.owner().lookup(VolumeService.ROOT, NAME)).isNull();
    }
}
