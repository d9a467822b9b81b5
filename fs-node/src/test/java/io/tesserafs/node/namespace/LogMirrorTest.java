package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The log on two bricks: what was answered survives the death of either, and nobody else's owner can add to it. */
@Timeout(120)
class LogMirrorTest {
    private static final Creator ROOT_USER = new Creator(0, 0);

    @TempDir
    Path directory;

    private BrickNodes nodes;

    @BeforeEach
    void start() throws IOException {
        nodes = new BrickNodes(directory, 3);
    }

    @AfterEach
    void stop() {
        nodes.close();
    }

    private long make(VolumeOwner owner, String name) throws FsException {
        return owner.create(
                        VolumeService.ROOT,
                        name.getBytes(StandardCharsets.UTF_8),
                        InodeAttr.S_IFREG | 0644,
                        0,
                        null,
                        ROOT_USER,
                        nodes.now())
                .ino();
    }

    private static Set<String> names(VolumeOwner owner) throws FsException {
        Set<String> names = new TreeSet<>();
        owner.readdir(VolumeService.ROOT, 0, (name, cookie, attr) -> {
            names.add(new String(name, StandardCharsets.UTF_8));
            return true;
        });
        return names;
    }

    private int mirrorOf(VolumeOwner owner) throws IOException {
        while (owner.keeper().mirror().state() != LogMirror.State.COMPLETE
                || nodes.manifest().mirror() == 0) {
            Thread.onSpinWait();
        }
        return nodes.manifest().mirror();
    }

    @Test
    void shouldKeepWhatWasAnsweredWhenTheOwnersNodeDies() throws Exception {
        VolumeOwner first = nodes.elect(1);
        make(first, "before");
        int mirror = mirrorOf(first);
        make(first, "after");
        nodes.down(1);
        VolumeOwner second = nodes.elect(mirror);
        assertThat(names(second)).containsExactly("after", "before");
        assertThat(nodes.manifest().home()).isEqualTo(mirror);
    }

    @Test
    void shouldBeOwnedByANodeThatHasNoCopyYet() throws Exception {
        VolumeOwner first = nodes.elect(1);
        int mirror = mirrorOf(first);
        int third = mirror == 2 ? 3 : 2;
        make(first, "f");
        nodes.down(1);
        VolumeOwner second = nodes.elect(third);
        assertThat(names(second)).containsExactly("f");
        make(second, "g");
        assertThat(mirrorOf(second)).isEqualTo(mirror);
        assertThat(VolumeChecker.checkOnline(second).problems()).isEmpty();
    }

    @Test
    void shouldNotBeOwnedWhereNoCopyCanBeReached() throws Exception {
        nodes.down(2);
        nodes.down(3);
        VolumeOwner first = nodes.elect(1);
        make(first, "f");
        nodes.down(1);
        nodes.up(2);
        assertThatThrownBy(() -> nodes.elect(2)).isInstanceOf(LogUnreachableException.class);
        nodes.up(1);
        assertThat(names(nodes.elect(1))).containsExactly("f");
    }

    @Test
    void shouldGoOnAloneWhenTheMirrorDiesAndFindAnother() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        int mirror = mirrorOf(owner);
        nodes.down(mirror);
        make(owner, "f");
        int next = mirror == 2 ? 3 : 2;
        nodes.awaitMirror(next);
        make(owner, "g");
        nodes.down(1);
        assertThat(names(nodes.elect(next))).containsExactly("f", "g");
    }

    /** To be run while the manifest is away, so that what is broken stays so. */
    private static void awaitBroken(VolumeOwner owner, Thread caller) {
        while (caller.isAlive() && owner.keeper().mirror().state() == LogMirror.State.COMPLETE) {
            Thread.onSpinWait();
        }
        assertThat(owner.keeper().mirror().state()).isEqualTo(LogMirror.State.BROKEN);
    }

    private static FaultyBrick.Fault unexpectedOnce() {
        AtomicBoolean failed = new AtomicBoolean();
        return block -> {
            if (failed.compareAndSet(false, true)) {
                throw new IllegalStateException("unexpected");
            }
        };
    }

    @Test
    void shouldBreakWhenACopyFailsUnexpectedly() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        int mirror = mirrorOf(owner);
        nodes.manifest.away(true);
        nodes.brickOf(1, mirror).beforeWrite(unexpectedOnce());
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            CompletableFuture<Thread> maker = new CompletableFuture<>();
            Future<Long> made = executor.submit(() -> {
                maker.complete(Thread.currentThread());
                return make(owner, "f");
            });
            awaitBroken(owner, maker.get());
            nodes.manifest.away(false);
            made.get();
        }
        mirrorOf(owner);
        nodes.down(1);
        assertThat(names(nodes.elect(nodes.manifest().mirror()))).containsExactly("f");
    }

    @Test
    void shouldBreakWhenItsFlushFailsUnexpectedly() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        int mirror = mirrorOf(owner);
        nodes.manifest.away(true);
        nodes.brickOf(1, mirror).beforeFlush(unexpectedOnce());
        make(owner, "f");
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            CompletableFuture<Thread> caller = new CompletableFuture<>();
            Future<?> synced = executor.submit(() -> {
                caller.complete(Thread.currentThread());
                owner.sync();
                return null;
            });
            awaitBroken(owner, caller.get());
            nodes.manifest.away(false);
            synced.get();
        }
    }

    @Test
    void shouldAnswerNothingWhileItIsNotWrittenDownThatTheMirrorIsGone() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        int mirror = mirrorOf(owner);
        nodes.manifest.away(true);
        nodes.down(mirror);
        Thread maker = Thread.ofPlatform().start(() -> {
            try {
                make(owner, "f");
            } catch (FsException e) {
                throw new IllegalStateException(e);
            }
        });
        while (owner.keeper().mirror().state() != LogMirror.State.BROKEN) {
            Thread.onSpinWait();
        }
        assertThat(maker.isAlive()).isTrue();
        nodes.manifest.away(false);
        maker.join();
        assertThat(names(owner)).containsExactly("f");
    }

    @Test
    void shouldSilenceAnOwnerThatWasDeposedAndDoesNotKnow() throws Exception {
        VolumeOwner deposed = nodes.elect(1);
        int mirror = mirrorOf(deposed);
        make(deposed, "f");
        VolumeOwner owner = nodes.elect(mirror);
        assertThatThrownBy(() -> make(deposed, "late")).isInstanceOf(FsException.class);
        assertThatThrownBy(() -> deposed.lookup(VolumeService.ROOT, "late".getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(FsException.class);
        assertThat(deposed.isRunning()).isFalse();
        make(owner, "g");
        assertThat(names(owner)).containsExactly("f", "g");
    }

    @Test
    void shouldPutDataOnTheBrickOfWhoWritesIt() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        long ino = make(owner, "f");
        ExtentRef ref = owner.allocate(8192, new BrickId(3));
        assertThat(ref.brick()).isEqualTo(new BrickId(3));
        long t = nodes.now();
        owner.commit(ino, new DataCommit(List.of(new Extent(0, ref, 8192)), new long[0], 8192, t, t, t, true, false));
        assertThat(VolumeChecker.checkOnline(owner).problems()).isEmpty();
        owner.unlink(VolumeService.ROOT, "f".getBytes(StandardCharsets.UTF_8), nodes.now());
        owner.unreferenced(ino);
        owner.sync();
        owner.keeper().space().reclaim();
        assertThat(VolumeChecker.checkOnline(owner).problems()).isEmpty();
    }

    @Test
    void shouldKeepExtentsOfABrickThatIsAwayUntilItIsBack() throws Exception {
        VolumeOwner first = nodes.elect(1);
        int mirror = mirrorOf(first);
        int writer = mirror == 2 ? 3 : 2;
        long ino = make(first, "f");
        ExtentRef ref = first.allocate(1 << 21, new BrickId(writer));
        long t = nodes.now();
        first.commit(
                ino, new DataCommit(List.of(new Extent(0, ref, 1 << 21)), new long[0], 1 << 21, t, t, t, true, false));
        nodes.down(writer);
        nodes.down(1);
        VolumeOwner second = nodes.elect(mirror);
        assertThat(second.layout(ino, 0, 1)).containsExactly(new Extent(0, ref, 1 << 21));
        nodes.up(writer);
        CheckReport report = VolumeChecker.checkOnline(second);
        assertThat(report.problems()).isEmpty();
        assertThat(second.layout(ino, 0, 1)).hasSize(1);
    }

    @Test
    void shouldHaveACommitWaitForTheBrickThatHasItsSpaceFromTheLastOwner() throws Exception {
        VolumeOwner first = nodes.elect(1);
        int mirror = mirrorOf(first);
        int writer = mirror == 2 ? 3 : 2;
        long ino = make(first, "f");
        ExtentRef ref = first.allocate(1 << 21, new BrickId(writer));
        assertThat(ref.brick()).isEqualTo(new BrickId(writer));
        nodes.down(writer);
        nodes.down(1);
        VolumeOwner second = nodes.elect(mirror, true);
        long t = nodes.now();
        DataCommit commit =
                new DataCommit(List.of(new Extent(0, ref, 1 << 21)), new long[0], 1 << 21, t, t, t, true, false);
        assertThatThrownBy(() -> second.commit(ino, commit)).isInstanceOf(UnavailableException.class);
        nodes.up(writer);
        second.commit(ino, commit);
        assertThat(second.layout(ino, 0, 1)).containsExactly(new Extent(0, ref, 1 << 21));
        assertThat(VolumeChecker.checkOnline(second).problems()).isEmpty();
    }

    private ExtentRef commitLoosely(VolumeOwner owner, long ino, int brick) throws FsException {
        ExtentRef ref = owner.allocate(8192, new BrickId(brick));
        long t = nodes.now();
        owner.commit(ino, new DataCommit(List.of(new Extent(0, ref, 8192)), new long[0], 8192, t, t, t, false, false));
        return ref;
    }

    @Test
    void shouldMakeDurableWhatANodeWroteThatDied() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        mirrorOf(owner);
        for (int brick = 1; brick <= 3; brick++) {
            long ino = make(owner, "f" + brick);
            ExtentRef ref = commitLoosely(owner, ino, brick);
            assertThat(owner.looseExtents(ref.brick(), 10)).containsExactly(new LooseExtent(ino, 0, ref, 0, 8192));
        }
        nodes.down(3);
        owner.endSession(new SessionId(99));
        while (!owner.looseExtents(new BrickId(1), 1).isEmpty()
                || !owner.looseExtents(new BrickId(2), 1).isEmpty()) {
            Thread.onSpinWait();
        }
        assertThat(owner.looseExtents(new BrickId(3), 1)).hasSize(1); // it cannot be asked
        nodes.up(3);
        while (!owner.looseExtents(new BrickId(3), 1).isEmpty()) {
            Thread.onSpinWait();
        }
    }

    @Test
    void shouldSettleOnlyWhatIsStillThere() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        long kept = make(owner, "kept");
        long gone = make(owner, "gone");
        long moved = make(owner, "moved");
        commitLoosely(owner, kept, 2);
        commitLoosely(owner, gone, 2);
        commitLoosely(owner, moved, 2);
        List<LooseExtent> loose = owner.looseExtents(new BrickId(2), 10);
        assertThat(loose).hasSize(3);
        owner.unlink(VolumeService.ROOT, "gone".getBytes(StandardCharsets.UTF_8), nodes.now());
        owner.unreferenced(gone);
        ExtentRef elsewhere = commitLoosely(owner, moved, 2);
        owner.settle(loose);
        assertThat(owner.looseExtents(new BrickId(2), 10))
                .containsExactly(new LooseExtent(moved, 0, elsewhere, 0, 8192));
        assertThat(VolumeChecker.checkOnline(owner).problems()).isEmpty();
    }

    /** As long as operations wait for room when the pool is full, and longer. */
    private static final Duration LONGER_THAN_A_FULL_POOL_IS_WAITED_FOR = Duration.ofSeconds(12);

    @Test
    void shouldWaitForTheManifestWhenTheLogNeedsMoreRoom() throws Exception {
        VolumeOwner owner = nodes.elect(1);
        mirrorOf(owner);
        nodes.manifest.away(true);
        AtomicInteger made = new AtomicInteger();
        int enough = 100_000;
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<?> maker = executor.submit(() -> {
                while (made.get() < enough) {
                    make(owner, "f" + made.get());
                    made.incrementAndGet();
                }
                return null;
            });
            Thread.sleep(LONGER_THAN_A_FULL_POOL_IS_WAITED_FOR);
            assertThat(maker.isDone()).isFalse();
            nodes.manifest.away(false);
            maker.get();
        }
        assertThat(names(owner)).hasSize(enough);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void shouldLoseNothingHoweverNodesDieOneAtATime(long seed) throws Exception {
        Random random = new Random(seed);
        Set<String> answered = new TreeSet<>();
        Set<String> unknown = new TreeSet<>();
        int at = 1;
        VolumeOwner owner = nodes.elect(at);
        for (int step = 0; step < 400; step++) {
            String name = "f" + step;
            switch (random.nextInt(80)) {
                case 0 -> { // the owner dies, and another node takes over
                    mirrorOf(owner);
                    int dead = at;
                    nodes.down(dead);
                    at = 1 + (at + random.nextInt(2)) % 3;
                    owner = nodes.elect(at);
                    nodes.up(dead);
                }
                case 1 -> { // one of the others restarts
                    int victim = 1 + (at + random.nextInt(2)) % 3;
                    nodes.down(victim);
                    make(owner, name);
                    answered.add(name);
                    nodes.up(victim);
                }
                case 2 -> { // it is deposed while it lives
                    mirrorOf(owner);
                    VolumeOwner deposed = owner;
                    at = 1 + (at + random.nextInt(2)) % 3;
                    owner = nodes.elect(at);
                    if (nodes.manifest().home() != at) {
                        throw new IllegalStateException();
                    }
                    unknown.add(name);
                    assertThatThrownBy(() -> make(deposed, name)).isInstanceOf(FsException.class);
                    deposed.abandon();
                }
                case 3 -> owner.keeper().checkpointSoon();
                case 4, 5, 6 -> {
                    owner.sync();
                }
                default -> {
                    make(owner, name);
                    answered.add(name);
                }
            }
            assertThat(names(owner)).as("seed %d, step %d", seed, step).isEqualTo(answered);
        }
        assertThat(VolumeChecker.checkOnline(owner).problems())
                .as("seed %d", seed)
                .isEmpty();
        assertThat(unknown).doesNotContainAnyElementsOf(answered);
    }
}
