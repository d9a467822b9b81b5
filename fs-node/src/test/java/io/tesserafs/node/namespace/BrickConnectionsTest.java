package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Connections to bricks end and are replaced while an owner uses them. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BrickConnectionsTest {
    private static final int BLOCK = 2 << 20;
    private static final BrickId HERE = new BrickId(1);
    private static final BrickId THERE = new BrickId(2);

    @TempDir
    Path directory;

    private BrickNodes nodes;

    @BeforeEach
    void start() throws IOException {
        nodes = new BrickNodes(directory, 2);
    }

    @AfterEach
    void stop() {
        nodes.close();
    }

    private static byte[] bytes(String name) {
        return name.getBytes(StandardCharsets.UTF_8);
    }

    private long make(VolumeOwner owner, String name) throws FsException {
        return owner.create(
                        VolumeService.ROOT,
                        bytes(name),
                        InodeAttr.S_IFREG | 0644,
                        0,
                        null,
                        new Creator(0, 0),
                        nodes.now())
                .ino();
    }

    private void awaitMirror(VolumeOwner owner) throws IOException {
        while (owner.keeper().mirror().state() != LogMirror.State.COMPLETE
                || nodes.manifest().mirror() == 0) {
            Thread.onSpinWait();
        }
    }

    /** The connection ends, and the next that needs one makes another. */
    private void replaceConnection() {
        nodes.cutOff(2);
        nodes.reconnect(2);
    }

    @Test
    void shouldMakeAnotherMirrorWhenTheConnectionOfTheLastWasReplaced() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        awaitMirror(owner);
        replaceConnection();
        make(owner, "f");
        awaitMirror(owner);
        make(owner, "g");
        nodes.down(1);
        VolumeOwner next = nodes.elect(2);
        assertThat(next.lookup(VolumeService.ROOT, bytes("f"))).isNotNull();
        assertThat(next.lookup(VolumeService.ROOT, bytes("g"))).isNotNull();
    }

    @Test
    void shouldGoOnWhenTheConnectionEndsWhileTheMirrorIsMade() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        awaitMirror(owner);
        long lastSegment = nodes.manifest().segments().getLast().block();
        replaceConnection();
        FaultyBrick connection = nodes.brickOf(1, 2);
        AtomicBoolean ended = new AtomicBoolean();
        connection.beforeMap(block -> {
            if (block.value() == lastSegment && ended.compareAndSet(false, true)) {
                connection.disconnect();
                throw new BrickException(Reason.UNREACHABLE, "the connection ends");
            }
        });
        make(owner, "f");
        while (!ended.get() && owner.isRunning()) {
            Thread.onSpinWait();
        }
        while (owner.isRunning() && owner.mirrorBrick().isEmpty()) {
            Thread.onSpinWait();
        }
        assertThat(owner.isRunning()).isTrue();
        make(owner, "g");
        assertThat(VolumeChecker.checkOnline(owner).problems()).isEmpty();
    }

    @Test
    void shouldMakeAnotherMirrorBeforeAnybodyNeedsIt() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        awaitMirror(owner);
        int version = nodes.manifest.version();
        nodes.brickOf(1, 2).disconnect();
        while (nodes.manifest.version() < version + 2) { // taken out, and entered again
            Thread.onSpinWait();
        }
        awaitMirror(owner);
        assertThat(owner.isUnfenced()).isTrue();
    }

    @Test
    void shouldNotTakeTheWordOfAMirrorThatHasForgottenWhomItRefused() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        awaitMirror(owner);
        assertThat(owner.isUnfenced()).isTrue();
        nodes.manifest.away(true);
        nodes.down(2);
        nodes.up(2);
        for (int attempt = 0; attempt < 3; attempt++) {
            assertThat(owner.isUnfenced()).isFalse();
        }
        nodes.manifest.away(false);
        while (!owner.isUnfenced()) { // another mirror is made
            Thread.onSpinWait();
        }
    }

    private DataCommit commit(ExtentRef ref, boolean durable) {
        long t = nodes.now();
        return new DataCommit(
                List.of(new Extent(0, ref, ref.bytes())), new long[0], ref.bytes(), t, t, t, durable, false);
    }

    @Test
    void shouldFlushOverAnotherConnectionWhatMovedFromADurablePlace() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        long ino = make(owner, "f");
        owner.commit(ino, commit(owner.allocate(8192, THERE), true));
        ExtentRef larger = owner.allocate(65536, THERE);
        assertThat(larger.brick()).isEqualTo(THERE);
        nodes.brickOf(1, 2).disconnect();
        owner.commit(ino, commit(larger, false));
        assertThat(owner.looseExtents(THERE, 1)).isEmpty();
    }

    @Test
    void shouldSayThatAFlushCanBeTriedAgain() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        long ino = make(owner, "f");
        owner.commit(ino, commit(owner.allocate(8192, THERE), true));
        ExtentRef larger = owner.allocate(65536, THERE);
        nodes.cutOff(2);
        assertThatThrownBy(() -> owner.commit(ino, commit(larger, false))).isInstanceOf(UnavailableException.class);
        nodes.reconnect(2);
        owner.commit(ino, commit(larger, false));
        assertThat(owner.layout(ino, 0, 1)).containsExactly(new Extent(0, larger, larger.bytes()));
    }

    /** The only brick that has space is up, but cannot be reached. */
    private VolumeOwner fullButForABrickOutOfReach() throws Exception {
        nodes.down(2);
        VolumeOwner owner = nodes.elect(1);
        assertThatThrownBy(() -> {
                    while (true) {
                        owner.allocate(BLOCK, HERE);
                    }
                })
                .isInstanceOfSatisfying(
                        FsException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC));
        nodes.up(2);
        nodes.cutOff(2);
        return owner;
    }

    @Test
    void shouldWaitForTheOnlyBrickThatMayHaveSpace() throws Exception {
        VolumeOwner owner = fullButForABrickOutOfReach();
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            int before = nodes.vainTries();
            Future<ExtentRef> allocated = executor.submit(() -> owner.allocate(BLOCK, HERE));
            while (nodes.vainTries() < before + 2 && !allocated.isDone()) {
                Thread.onSpinWait();
            }
            nodes.reconnect(2);
            assertThat(allocated.get().brick()).isEqualTo(THERE);
        }
    }

    @Test
    void shouldNotSayThatThereIsNoSpaceOnABrickThatCannotBeAsked() throws Exception {
        VolumeOwner owner = fullButForABrickOutOfReach();
        assertThatThrownBy(() -> owner.allocate(BLOCK, HERE)).isInstanceOf(UnavailableException.class);
    }
}
