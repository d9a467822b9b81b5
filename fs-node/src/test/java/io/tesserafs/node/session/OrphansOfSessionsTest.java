package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that are open on some nodes while others remove them. */
class OrphansOfSessionsTest {
    private static final byte[] NAME = {'f'};

    @TempDir
    Path directory;

    private OwnerFixture fixture;
    private OwnedVolume owner;
    private final Node a = new Node(new SessionId(0xA), 1);
    private final Node b = new Node(new SessionId(0xB), 2);

    /** One node's session, and what it was told. */
    private final class Node extends QuietEnd {
        final SessionId session;
        final int node;
        final List<Long> told = new ArrayList<>();
        final RemoteVolume volume;
        private long number;
        private long opened;

        Node(SessionId session, int node) {
            this.session = session;
            this.node = node;
            this.volume = Channels.volume(request -> {
                number++;
                return java.util.Objects.requireNonNull(
                        owner.call(session, number, number, request.order(ByteOrder.LITTLE_ENDIAN)));
            });
        }

        void attach() throws Exception {
            assertThat(owner.attach(session, false, new SessionCodec.Opening(node, ++opened, List.of()), this))
                    .isNotNull();
            owner.restored(session);
        }

        @Override
        public void orphaned(long ino) {
            told.add(ino);
        }
    }

    @BeforeEach
    void start() throws Exception {
        fixture = new OwnerFixture(directory);
        fixture.keepOrphans();
        owner = owner(Map.of());
        a.attach();
        b.attach();
    }

    private OwnedVolume owner(Map<SessionId, Integer> inherited) {
        return OwnedVolumes.owned(fixture.owner(), 1, OwnedVolumes.PATIENT, inherited);
    }

    @AfterEach
    void stop() {
        owner.close();
        fixture.close();
    }

    private long file() throws FsException {
        return a.volume
                .create(VolumeService.ROOT, NAME, InodeAttr.S_IFREG | 0644, 0, null, new Creator(0, 0), 1)
                .ino();
    }

    private void assertGone(long ino) {
        assertThatThrownBy(() -> fixture.owner().getattr(ino)).isInstanceOf(FsException.class);
    }

    @Test
    void shouldKeepAFileThatIsOpenOnAnotherNodeThanTheOneThatRemovesIt() throws Exception {
        long ino = file();
        a.volume.unlink(VolumeService.ROOT, NAME, 2);
        assertThat(a.told).as("it has the answer").isEmpty();
        assertThat(b.told).containsExactly(ino);
        a.volume.unreferenced(ino);
        assertThat(b.volume.getattr(ino).nlink()).isZero();
        b.volume.unreferenced(ino);
        assertGone(ino);
    }

    @Test
    void shouldEndWithASessionWhatOnlyThatReferredTo() throws Exception {
        long ino = file();
        b.volume.unlink(VolumeService.ROOT, NAME, 2);
        b.volume.unreferenced(ino);
        assertThat(fixture.owner().getattr(ino).nlink()).isZero();
        owner.end(a.session);
        assertGone(ino);
    }

    @Test
    void shouldKeepAFileWithoutNameThroughTheOwnersDeath() throws Exception {
        long ino = file();
        a.volume.unlink(VolumeService.ROOT, NAME, 2);
        a.volume.unreferenced(ino);
        owner.close();
        fixture.crashAndRestart();
        owner = owner(Map.of(a.session, a.node, b.session, b.node));
        b.told.clear();
        a.attach();
        assertThat(a.told)
                .as("a new owner does not know what was said to the last")
                .containsExactly(ino);
        a.volume.unreferenced(ino);
        b.attach();
        assertThat(b.told).containsExactly(ino);
        assertThat(b.volume.getattr(ino).nlink()).isZero();
        b.volume.unreferenced(ino);
        assertGone(ino);
    }

    @Test
    void shouldEndOrphansThatNoSessionOutlived() throws Exception {
        long ino = file();
        a.volume.unlink(VolumeService.ROOT, NAME, 2);
        owner.close();
        fixture.crashAndRestart();
        owner = owner(Map.of());
        assertGone(ino);
    }

    @Test
    void shouldKeepATemporaryFileThatGotANameAfterAll() throws Exception {
        long ino = b.volume
                .createOrphan(VolumeService.ROOT, 0600, new Creator(0, 0), 1)
                .ino();
        b.volume.link(ino, VolumeService.ROOT, NAME, 2);
        a.volume.unreferenced(ino);
        b.volume.unreferenced(ino);
        owner.end(b.session);
        assertThat(a.volume.getattr(ino).nlink()).isEqualTo(1);
    }
}
