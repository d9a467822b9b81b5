package io.tesserafs.node.namespace;

import static io.tesserafs.node.namespace.OwnerFixture.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fuse.Errno;
import java.nio.file.Path;
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
