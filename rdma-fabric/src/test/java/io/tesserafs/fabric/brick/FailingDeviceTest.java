package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** A disk that takes no more writes: ext4 in a sparse image on a tmpfs that is then filled up. Needs root. */
@Tag("cluster")
class FailingDeviceTest {
    @TempDir
    Path directory;

    private final Deque<Path> mounts = new ArrayDeque<>();

    @AfterEach
    void unmount() throws Exception {
        if (brick != null) {
            brick.abandon();
        }
        while (!mounts.isEmpty()) {
            run("umount", "-l", mounts.pop().toString());
        }
    }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor())
                .as(String.join(" ", command) + ": " + output)
                .isZero();
    }

    private Path mount(String name, String... typeOptionsAndSource) throws Exception {
        Path point = Files.createDirectory(directory.resolve(name));
        String[] command = new String[typeOptionsAndSource.length + 2];
        command[0] = "mount";
        System.arraycopy(typeOptionsAndSource, 0, command, 1, typeOptionsAndSource.length);
        command[command.length - 1] = point.toString();
        run(command);
        mounts.push(point);
        return point;
    }

    private Path memory;
    private Path path;
    private LocalBrick brick;
    private BrickClient client;

    @BeforeEach
    void startBrick() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "only root may mount");
        memory = mount("memory", "-t", "tmpfs", "-o", "size=32m", "tmpfs");
        Path image = memory.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(100 << 20);
        }
        run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", image.toString());
        path = mount("disk", "-o", "loop", image.toString()).resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", 1);
        brick = LocalBrick.open(Pool.open(path));
        client = brick.connect(new SessionId(1));
    }

    private void refused(Executable call) {
        assertThat(assertThrows(BrickException.class, call).reason()).isEqualTo(Reason.IO);
    }

    @Test
    void shouldReportAFailedFlushAndNotCloseAsIfAllWereWell() throws Exception {
        client.alloc(BlockId.of(1, 1));
        BlockHandle handle = client.map(BlockId.of(1, 1), Access.READ_WRITE);
        fill(memory.resolve("filler"));
        handle.memory().fill((byte) 7);
        refused(() -> handle.flush(0, BlockId.BLOCK_BYTES));
        assertThat(handle.alive()).isTrue();
        assertThat(handle.memory().get(ValueLayout.JAVA_BYTE, 4096)).isEqualTo((byte) 7);
        brick.close();
        assertThat(Pool.describe(path).cleanShutdown()).isFalse();
    }

    @Test
    void shouldChangeTheTableNoMoreAfterItsFlushFailed() throws Exception {
        // The table's pages were never written, so they have no place in the image yet.
        fill(memory.resolve("filler"));
        refused(() -> client.alloc(BlockId.of(1, 1)));
        assertThat(client.list(BlockId.of(1, 0), 10)).isEmpty();
        Files.delete(memory.resolve("filler"));
        refused(() -> client.alloc(BlockId.of(1, 2)));
        refused(() -> client.free(BlockId.of(1, 1)));
        brick.close();
        assertThat(Pool.describe(path).cleanShutdown()).isFalse();

        brick = LocalBrick.open(Pool.open(path));
        client = brick.connect(new SessionId(1));
        client.alloc(BlockId.of(1, 3));
        brick.close();
        assertThat(Pool.describe(path).cleanShutdown()).isTrue();
    }

    private static void fill(Path file) throws IOException {
        byte[] chunk = new byte[4096];
        try (OutputStream out = Files.newOutputStream(file)) {
            assertThrows(IOException.class, () -> {
                while (true) {
                    out.write(chunk);
                }
            });
        }
    }
}
