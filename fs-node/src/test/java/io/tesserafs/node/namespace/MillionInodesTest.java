package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
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
    private static final long POOL_BYTES = (FILES * 4096L) + (1L << 30);
    /** What is left must do for everything else on the machine. */
    private static final int ROOM_FACTOR = 2;

    @Test
    void shouldHoldAndReplayAMillionSmallFiles() throws Exception {
        Path directory = Files.createTempDirectory(parent(), "tessera-million");
        try (OwnerFixture volume = new OwnerFixture(directory, POOL_BYTES, VolumeConfig.DEFAULT_MAX_INODES)) {
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

    /** In memory, or on disk where that is short. */
    private static Path parent() throws IOException {
        Path memory = Path.of(System.getProperty("tessera.test.memory", "/dev/shm"));
        boolean roomy =
                Files.isDirectory(memory) && Files.getFileStore(memory).getUsableSpace() >= POOL_BYTES * ROOM_FACTOR;
        return roomy ? memory : Path.of(System.getProperty("tessera.test.dir", System.getProperty("java.io.tmpdir")));
    }

    private static long usedHeap() {
        System.gc();
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }
}
