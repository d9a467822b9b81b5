package io.tesserafs.node.namespace;

import static io.tesserafs.node.namespace.OwnerFixture.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpaceTest {
    @TempDir
    Path directory;

    @Test
    void shouldDeleteOnAFullVolumeAndUseTheSpaceAgain() throws Exception {
        try (OwnerFixture volume = new OwnerFixture(directory, 64L << 20, VolumeConfig.DEFAULT_MAX_INODES)) {
            for (int round = 0; round < 3; round++) {
                int made = fill(volume, 2 << 20);
                assertThat(made).as("files of a block, round " + round).isBetween(15, 31);
                assertThat(volume.owner.statistics().available()).isLessThan(512);
                for (int i = 0; i < made; i++) {
                    long ino = volume.owner
                            .lookup(VolumeService.ROOT, bytes("f" + i))
                            .ino();
                    volume.owner.unlink(VolumeService.ROOT, bytes("f" + i), volume.now());
                    volume.owner.unreferenced(ino);
                }
                volume.owner.unlink(VolumeService.ROOT, bytes("f" + made), volume.now());
                assertThat(volume.check().problems()).isEmpty();
            }
        }
    }

    @Test
    void shouldPackSmallFilesIntoSharedBlocks() throws Exception {
        try (OwnerFixture volume = new OwnerFixture(directory, 64L << 20, VolumeConfig.DEFAULT_MAX_INODES)) {
            long before = volume.owner.statistics().free();
            for (int i = 0; i < 1000; i++) {
                volume.extend(volume.file(VolumeService.ROOT, "f" + i), 0, 1024, true);
            }
            long used = before - volume.owner.statistics().free();
            assertThat(used).as("4 KiB units").isBetween(1000L, 1000L + 6 * 512);
        }
    }

    @Test
    void shouldStopAtTheInodeLimit() throws Exception {
        try (OwnerFixture volume = new OwnerFixture(directory, 64L << 20, 10)) {
            for (int i = 0; i < 9; i++) {
                volume.file(VolumeService.ROOT, "f" + i);
            }
            assertThatThrownBy(() -> volume.file(VolumeService.ROOT, "one too many"))
                    .isInstanceOfSatisfying(
                            FsException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC));
            assertThat(volume.owner.statistics().freeInodes()).isZero();
        }
    }

    @Test
    void shouldGiveReservationsBackHoweverOftenSpaceIsTakenAndReleased() throws Exception {
        try (OwnerFixture volume = new OwnerFixture(directory, 64L << 20, 10)) {
            for (int i = 0; i < 1000; i++) {
                volume.owner.release(volume.owner.allocate(i % 2 == 0 ? 2 << 20 : 100_000, volume.client.brick()));
            }
            volume.owner.allocate(100_000, volume.client.brick());
            volume.crashAndRestart();
            assertThat(volume.check().problems()).isEmpty();
        }
    }

    @Test
    void shouldFreeTheBlocksOfWhichTheBrickSaidInVainThatTheyAreAllocated() throws Exception {
        try (OwnerFixture volume = new OwnerFixture(directory)) {
            AtomicInteger lost = new AtomicInteger();
            long here = Thread.currentThread().threadId();
            volume.client.afterAlloc(block -> {
                if (Thread.currentThread().threadId() == here && lost.getAndIncrement() < 2) {
                    throw new BrickException(BrickException.Reason.UNREACHABLE, "the connection ended");
                }
            });
            for (int i = 0; i < 2 * SpaceKeeper.RESERVE_BLOCKS; i++) {
                volume.owner.allocate(BLOCK, BRICK);
            }
            assertThat(lost).hasValueGreaterThan(2);
            assertThat(volume.check().problems()).isEmpty();
        }
    }

    private static final int HALF_BLOCK = 1 << 20;
    private static final int BLOCK = 2 << 20;
    private static final BrickId BRICK = new BrickId(1);
    private static final long INHERITED = 7;
    private static final long BACK_NS = 1_000;

    private static ExtentRef half(int slot) {
        return new ExtentRef(BRICK, new BlockId(INHERITED), slot * HALF_BLOCK, HALF_BLOCK);
    }

    private static long packed(ExtentRef ref) {
        return ExtentMap.pack(ref, ref.bytes());
    }

    /** Of the one block that the last owner cut, the first half is known to be in use. */
    private static Space inheritedSpace() {
        Space space = new Space(BRICK, true);
        assertThat(space.claim(INHERITED, packed(half(0)))).isNull();
        space.reconciled(Set.of(), BACK_NS);
        return space;
    }

    private static void drop(Space space, ExtentRef ref) {
        space.dropped(1, ref.block().value(), packed(ref));
        space.reclaim(1);
    }

    @Test
    void shouldKeepABlockForItsHeirsWhenNobodyElseUsesItAnyMore() {
        Space space = inheritedSpace();
        drop(space, half(0));
        assertThat(space.take(BLOCK)).isNull();
        assertThat(space.adopt(half(1))).isTrue();
        assertThat(space.isReserved(half(1))).as("if the commit is tried again").isTrue();
        space.endAdoption(BACK_NS + Space.ADOPTION_NS);
        assertThat(space.drainToFree()).isEmpty();
        drop(space, half(1));
        assertThat(space.take(BLOCK)).isEqualTo(new ExtentRef(BRICK, new BlockId(INHERITED), 0, BLOCK));
    }

    @Test
    void shouldSendABlockBackToTheBrickThatAnHeirMayStillWriteTo() {
        Space unused = inheritedSpace();
        drop(unused, half(0));
        unused.endAdoption(BACK_NS + Space.ADOPTION_NS);
        assertThat(unused.take(BLOCK)).isNull();
        assertThat(unused.drainToFree()).containsExactly(new BlockId(INHERITED));

        Space stillUsed = inheritedSpace();
        stillUsed.endAdoption(BACK_NS + Space.ADOPTION_NS);
        assertThat(stillUsed.drainToFree()).isEmpty();
        drop(stillUsed, half(0));
        assertThat(stillUsed.take(BLOCK)).isNull();
        assertThat(stillUsed.drainToFree()).containsExactly(new BlockId(INHERITED));
    }

    @Test
    void shouldGiveOutOfAnInheritedBlockOnlyWhatItsKnownUsersGaveBack() {
        Space space = inheritedSpace();
        assertThat(space.take(HALF_BLOCK)).isNull();
        drop(space, half(0));
        assertThat(space.take(HALF_BLOCK)).isEqualTo(half(0));
        assertThat(space.take(HALF_BLOCK)).isNull();
        assertThat(space.adopt(half(0))).isFalse();
    }

    @Test
    void shouldNotLetSpaceBeAdoptedThatIsOfThisTerm() {
        Space space = inheritedSpace();
        BlockId cut = new BlockId(8);
        space.addReserve(cut);
        ExtentRef taken = space.take(HALF_BLOCK);
        assertThat(taken).isEqualTo(new ExtentRef(BRICK, cut, 0, HALF_BLOCK));
        assertThat(space.adopt(new ExtentRef(BRICK, cut, HALF_BLOCK, HALF_BLOCK)))
                .isFalse();
    }

    @Test
    void shouldGiveHeirsTheirTimeFromWhenTheBrickIsThere() {
        Space space = new Space(BRICK, true);
        space.endAdoption(BACK_NS - 1);
        space.reconciled(Set.of(INHERITED), BACK_NS);
        space.endAdoption(BACK_NS + Space.ADOPTION_NS - 1);
        assertThat(space.drainToFree()).isEmpty();
        space.endAdoption(BACK_NS + Space.ADOPTION_NS);
        assertThat(space.drainToFree()).containsExactly(new BlockId(INHERITED));
    }

    @Test
    void shouldKeepAnHeirsSliceThroughATakeoverAndTheEndOfItsNeighbour() throws Exception {
        try (OwnerFixture volume = new OwnerFixture(directory)) {
            long dead = volume.file(VolumeService.ROOT, "dead");
            ExtentRef neighbour = volume.extend(dead, 0, HALF_BLOCK, true);
            ExtentRef mine = volume.owner.allocate(HALF_BLOCK, BRICK);
            assertThat(mine.block()).isEqualTo(neighbour.block());
            volume.expectHeirs();
            volume.crashAndRestart();

            volume.owner.unlink(VolumeService.ROOT, bytes("dead"), volume.now());
            volume.owner.unreferenced(dead);
            volume.owner.sync();
            volume.owner.keeper().space().reclaim();
            for (int i = 0; i < 2 * SpaceKeeper.RESERVE_BLOCKS; i++) {
                assertThat(volume.owner.allocate(BLOCK, BRICK).block()).isNotEqualTo(mine.block());
            }
            long heir = volume.file(VolumeService.ROOT, "heir");
            volume.commit(heir, List.of(new Extent(0, mine, HALF_BLOCK)), HALF_BLOCK, true);
            assertThat(volume.owner.layout(heir, 0, 1)).containsExactly(new Extent(0, mine, HALF_BLOCK));
            volume.endAdoption();
            assertThat(volume.check().problems()).isEmpty();
        }
    }

    /** Makes files until there is no more space; the last one stays empty. Returns how many are full. */
    private static int fill(OwnerFixture volume, int bytes) throws Exception {
        for (int i = 0; ; i++) {
            long ino = volume.file(VolumeService.ROOT, "f" + i);
            try {
                volume.extend(ino, 0, bytes, true);
            } catch (FsException e) {
                assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
                return i;
            }
        }
    }
}
