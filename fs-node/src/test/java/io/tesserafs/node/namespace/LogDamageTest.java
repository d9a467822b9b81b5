package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left of a log after damage is a consistent prefix, or it is refused with a message; nothing else. */
class LogDamageTest {
    private static final int FILES = 60;

    @TempDir
    Path directory;

    @Test
    void shouldRecoverAPrefixOrRefuseWhateverByteOfTheLogIsDamaged() throws Exception {
        OwnerFixture volume = new OwnerFixture(directory, 64L << 20, 1000);
        long dir = volume.mkdir(VolumeService.ROOT, "dir");
        for (int i = 0; i < FILES; i++) {
            volume.extend(volume.file(dir, "f" + i), 0, 4096, true);
        }
        Manifest manifest = Manifest.decode(volume.manifest.read().bytes());
        int used = usedBytes(volume, manifest.segments().getFirst());
        volume.die();
        Path saved = directory.resolve("saved");
        Files.copy(volume.pool(), saved);
        byte[] manifestBytes = volume.manifest.read().bytes();

        int refused = 0;
        int recovered = 0;
        for (int seed = 0; seed < 150; seed++) {
            Files.copy(saved, volume.pool(), StandardCopyOption.REPLACE_EXISTING);
            MemoryManifest store = volume.manifest;
            store.write(manifestBytes, store.read().version(), 1);
            damage(volume, manifest, used, new Random(seed));
            try {
                volume.start(seed % 2 == 0);
                List<String> names = volume.names(VolumeService.ROOT).isEmpty() ? List.of() : volume.names(dir);
                for (int i = 0; i < names.size(); i++) {
                    assertThat(names.get(i)).as("seed " + seed).isEqualTo("f" + i);
                }
                assertThat(volume.check().problems()).as("seed " + seed).isEmpty();
                volume.die();
                recovered++;
            } catch (RecoveryException e) {
                assertThat(e.getMessage()).as("seed " + seed).startsWith("volume test: ");
                refused++;
            }
        }
        assertThat(refused).isPositive();
        assertThat(recovered).isPositive();
    }

    @Test
    void shouldRefuseALogThatEndsBeforeItWasClosed() throws Exception {
        OwnerFixture volume = new OwnerFixture(directory, 64L << 20, 1000);
        for (int i = 0; i < FILES; i++) {
            volume.file(VolumeService.ROOT, "f" + i);
        }
        Manifest manifest = Manifest.decode(volume.manifest.read().bytes());
        volume.stop();
        volume.start(true);
        volume.die();
        MemoryManifest store = volume.manifest;
        store.write(manifest.closedAt(100_000, 0).encode(), store.read().version(), 1);
        assertThatThrownBy(() -> volume.start(true))
                .isInstanceOf(RecoveryException.class)
                .hasMessageContaining("durable up to LSN 100000");
    }

    private static int usedBytes(OwnerFixture volume, Manifest.Entry segment) throws Exception {
        BlockHandle handle = volume.client.map(new BlockId(segment.block()), Access.READ);
        MemorySegment memory = handle.memory();
        int at = LogFormat.HEADER_BYTES;
        while (memory.get(ValueLayout.JAVA_LONG_UNALIGNED, at + 8) != 0) {
            at += LogFormat.recordBytes(memory.get(ValueLayout.JAVA_INT_UNALIGNED, at));
        }
        return at;
    }

    /** Flips a bit, or blanks a range, in the used part of the first segment. */
    private static void damage(OwnerFixture volume, Manifest manifest, int used, Random random) throws Exception {
        volume.manifest.read();
        try (io.tesserafs.fabric.brick.LocalBrick brick =
                io.tesserafs.fabric.brick.LocalBrick.open(io.tesserafs.fabric.pmem.Pool.open(volume.pool()))) {
            io.tesserafs.fabric.LocalFabric fabric = new io.tesserafs.fabric.LocalFabric();
            fabric.attach(brick);
            var client = fabric.connect(brick.id(), new io.tesserafs.fabric.brick.SessionId(99));
            BlockHandle handle =
                    client.map(new BlockId(manifest.segments().getFirst().block()), Access.READ_WRITE);
            MemorySegment memory = handle.memory();
            int at = random.nextInt(used);
            if (random.nextBoolean()) {
                byte old = memory.get(ValueLayout.JAVA_BYTE, at);
                memory.set(ValueLayout.JAVA_BYTE, at, (byte) (old ^ 1 << random.nextInt(8)));
            } else {
                memory.asSlice(at, Math.min(1 + random.nextInt(4096), LogFormat.SEGMENT_BYTES - at))
                        .fill((byte) 0);
            }
        }
    }
}
