package io.tesserafs.fabric.pmem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Small filesystems of our own, filled to the brim. Needs root. */
@Tag("cluster")
class FullDiskTest {
    @TempDir
    Path directory;

    private Path mount;

    @BeforeEach
    void makeMountPoint() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "only root may mount");
        mount = Files.createDirectory(directory.resolve("mnt"));
    }

    @AfterEach
    void unmount() throws Exception {
        if (mount != null) {
            run("umount", "-l", mount.toString());
        }
    }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(process.waitFor())
                .as(String.join(" ", command) + ": " + output)
                .isZero();
    }

    private void mountExt4(int megabytes) throws Exception {
        Path image = directory.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength((long) megabytes << 20);
        }
        run("mkfs.ext4", "-q", "-F", image.toString());
        run("mount", "-o", "loop", image.toString(), mount.toString());
    }

    private void checkPoolsOfTwoSizes(String fileSystem) throws Exception {
        Path path = mount.resolve("pool");
        PoolException e = assertThrows(PoolException.class, () -> Pool.create(path, 200 << 20, "", 1));
        assertThat(e.reason()).isEqualTo(PoolException.Reason.NO_SPACE);
        assertThat(e)
                .hasMessageContaining("pool " + path)
                .hasMessageContaining(fileSystem + " below cannot hold 209,715,200 bytes");
        try (var names = Files.list(mount)) {
            assertThat(names.filter(n -> n.getFileName().toString().startsWith("pool")))
                    .isEmpty();
        }
        Pool.create(path, 64 << 20, "", 1);
        try (RandomAccessFile filler =
                new RandomAccessFile(mount.resolve("filler").toFile(), "rw")) {
            byte[] chunk = new byte[1 << 16];
            assertThrows(IOException.class, () -> {
                while (true) {
                    filler.write(chunk);
                }
            });
        }
        try (Pool pool = Pool.open(path)) {
            pool.beginUse();
            for (int i = 0; i < pool.blocks(); i++) {
                pool.block(i).fill((byte) (i + 1));
                pool.flush(pool.block(i));
            }
        }
        try (Pool pool = Pool.openReadOnly(path, false)) {
            for (int i = 0; i < pool.blocks(); i++) {
                assertThat(pool.block(i).get(java.lang.foreign.ValueLayout.JAVA_BYTE, 12345))
                        .isEqualTo((byte) (i + 1));
            }
        }
    }

    @Test
    void shouldFailAtCreationAndNeverLaterOnTmpfs() throws Exception {
        run("mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", mount.toString());
        checkPoolsOfTwoSizes("tmpfs");
        assertThat(Pool.describe(mount.resolve("pool")).survivesReboot()).isFalse();
    }

    @Test
    void shouldFailAtCreationAndNeverLaterOnExt4() throws Exception {
        mountExt4(100);
        checkPoolsOfTwoSizes("ext4");
        assertThat(Pool.describe(mount.resolve("pool")).survivesReboot()).isTrue();
    }
}
