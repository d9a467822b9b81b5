package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a million small files cost the owner: heap for each, and time to replay. Prints what docs/decisions/002 quotes. */
@Tag("cluster")
class MillionInodesTest {
    private static final int FILES = Integer.getInteger("tessera.scale.inodes", 1_000_000);
    private static final int PER_DIRECTORY = 10_000;

    @Test
    void shouldHoldAndReplayAMillionSmallFiles() throws Exception {
        Path shm = Path.of("/dev/shm");
        Path directory = Files.createTempDirectory(Files.isDirectory(shm) ? shm : Path.of("/tmp"), "tessera-million");
        try (OwnerFixture volume =
                new OwnerFixture(directory, (FILES * 4096L) + (1L << 30), VolumeConfig.DEFAULT_MAX_INODES)) {
            long before = usedHeap();
            Instant start = Instant.now();
            long dir = 0;
            for (int i = 0; i < FILES; i++) {
                if (i % PER_DIRECTORY == 0) {
                    dir = volume.mkdir(VolumeService.ROOT, "directory-" + i);
                }
                volume.extend(volume.file(dir, "file-%011d".formatted(i)), 0, 1024, true);
            }
            Duration made = Duration.between(start, Instant.now());
            long perInode = (usedHeap() - before) / FILES;
            start = Instant.now();
            volume.crashAndRestart();
            Duration replayed = Duration.between(start, Instant.now());
            System.out.printf(
                    "%d files made in %d ms, %d bytes of heap each, replayed in %d ms (%d records)%n",
                    FILES,
                    made.toMillis(),
                    perInode,
                    replayed.toMillis(),
                    volume.owner.report().records());
            assertThat(volume.owner.report().inodes()).isEqualTo(FILES + FILES / PER_DIRECTORY + 1);
            assertThat(perInode).isLessThan(400);
            assertThat(volume.check().problems()).isEmpty();
        } finally {
            Files.deleteIfExists(directory.resolve("pool"));
            Files.deleteIfExists(directory);
        }
    }

    private static long usedHeap() {
        System.gc();
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }
}
