package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.namespace.RequestTag;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Calls that outlive their session: what it held is another's by then. */
@Timeout(60)
class EndedSessionTest {
    private static final byte[] NAME = {'f'};
    private static final int BYTES = 8192;

    @TempDir
    Path directory;

    private OwnerFixture fixture;
    private OwnedVolume owner;
    private long ino;
    private final Node a = new Node(new SessionId(0xA), 1);
    private final Node b = new Node(new SessionId(0xB), 2);

    private final class Node {
        final SessionId session;
        final int node;
        final RemoteVolume volume;
        private long number;

        Node(SessionId session, int node) {
            this.session = session;
            this.node = node;
            this.volume = Channels.volume(request -> {
                number++;
                return Objects.requireNonNull(
                        owner.call(session, number, number, request.order(ByteOrder.LITTLE_ENDIAN)));
            });
        }

        void attach() throws Exception {
            assertThat(owner.attach(session, false, new SessionCodec.Opening(node, 1, List.of()), new QuietEnd()))
                    .isNotNull();
        }

        ExtentRef allocate() throws FsException {
            return volume.allocate(BYTES, new BrickId(1));
        }

        void commit(ExtentRef ref, boolean durable) throws FsException {
            Extent extent = new Extent(0, ref, BYTES);
            volume.commit(ino, new DataCommit(List.of(extent), new long[0], BYTES, 2, 2, 2, durable, false));
        }
    }

    @BeforeEach
    void start() throws Exception {
        fixture = new OwnerFixture(directory);
        owner = OwnedVolumes.owned(fixture.owner(), 1, OwnedVolumes.PATIENT, Map.of());
        a.attach();
        b.attach();
        ino = a.volume
                .create(VolumeService.ROOT, NAME, InodeAttr.S_IFREG | 0644, 0, null, new Creator(0, 0), 1)
                .ino();
    }

    @AfterEach
    void stop() {
        owner.close();
        fixture.close();
    }

    /** Its node begins another session: so nobody believes in this one any more, and its lease need not be waited for. */
    private void evict(Node node) throws Exception {
        SessionCodec.Opening opening = new SessionCodec.Opening(node.node, 1, List.of());
        assertThat(owner.attach(new SessionId(0xC), true, opening, new QuietEnd()))
                .isNotNull();
        while (owner.sessions().stream().anyMatch(view -> view.id().equals(node.session))) {
            Thread.onSpinWait();
        }
    }

    @Test
    void shouldNotUndoWhatOthersDidSince() throws Exception {
        a.commit(a.allocate(), true);
        ExtentRef late = a.allocate();
        ExtentRef newest = b.allocate();
        CountDownLatch flushing = new CountDownLatch(1);
        CountDownLatch mayGoOn = new CountDownLatch(1);
        fixture.brick().beforeFlush(block -> {
            if (block.equals(late.block())) {
                flushing.countDown();
                try {
                    mayGoOn.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
        });
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<?> outlived = executor.submit(() -> {
                a.commit(late, false);
                return null;
            });
            flushing.await();
            evict(a);
            b.commit(newest, true);
            mayGoOn.countDown();
            assertThatThrownBy(outlived::get)
                    .isInstanceOf(ExecutionException.class)
                    .cause()
                    .isInstanceOfSatisfying(
                            FsException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EIO));
        } finally {
            mayGoOn.countDown();
        }
        assertThat(fixture.owner().layout(ino, 0, 1)).containsExactly(new Extent(0, newest, BYTES));
        assertThat(fixture.check().problems()).isEmpty();
    }

    @Test
    void shouldChangeNothingWhenTheyAreOfTheOwnersOwnNodeEither() throws Exception {
        owner.end(a.session);
        RequestTag call = new RequestTag(a.session, 99, 99);
        assertThatThrownBy(() ->
                        fixture.owner().as(call).call(() -> fixture.owner().truncate(ino, 10, false, 3)))
                .isInstanceOf(FsException.class);
        assertThat(fixture.owner().getattr(ino).size()).isZero();
    }
}
