package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** POSIX locks of two nodes on one volume. This process is a different lock owner on each of the two mounts. */
@Tag("fuse")
class SharedLocksTest {
    private static final long PATIENCE_SECONDS = 30;

    @TempDir
    Path directory;

    private SharedVolume volume;
    private FileChannel one;
    private FileChannel two;

    @BeforeEach
    void mount() throws Exception {
        volume = new SharedVolume(directory, 2);
        one = FileChannel.open(
                volume.mount(1).resolve("f"),
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE);
        two = FileChannel.open(volume.mount(2).resolve("f"), StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    @AfterEach
    void unmount() throws IOException {
        one.close();
        two.close();
        volume.close();
    }

    private static CompletableFuture<FileLock> lockLater(FileChannel channel, long from, long length) {
        CompletableFuture<FileLock> future = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                future.complete(channel.lock(from, length, false));
            } catch (IOException | RuntimeException e) {
                future.completeExceptionally(e);
            }
        });
        return future;
    }

    @Test
    void shouldKeepOtherNodesOut() throws Exception {
        FileLock lock = one.tryLock(0, 100, false);
        assertThat(lock).isNotNull();
        assertThat(two.tryLock(99, 1, true)).isNull();
        assertThat(two.tryLock(100, 10, false)).isNotNull();
        lock.release();
        assertThat(two.tryLock(0, 10, true)).isNotNull();
        assertThat(one.tryLock(0, 10, true)).isNotNull();
        assertThat(one.tryLock(20, 90, false)).isNull();
    }

    @Test
    void shouldWakeAWaiterOnAnotherNodeAtUnlockAndAtClose() throws Exception {
        FileLock first = one.lock(0, 10, false);
        CompletableFuture<FileLock> waiting = lockLater(two, 5, 10);
        first.release();
        waiting.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        CompletableFuture<FileLock> again = lockLater(one, 0, 10);
        two.close();
        again.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    @Test
    void shouldFindACircleOverTwoNodes() throws Exception {
        FileLock first = one.lock(0, 1, false);
        FileLock second = two.lock(1, 1, false);
        CompletableFuture<FileLock> waiting = lockLater(one, 1, 1);
        CompletableFuture<FileLock> closing = lockLater(two, 0, 1);
        // Whichever came second closed the circle.
        assertThatThrownBy(() -> CompletableFuture.anyOf(waiting, closing).get(PATIENCE_SECONDS, TimeUnit.SECONDS))
                .cause()
                .isInstanceOf(IOException.class)
                .hasMessageContaining("deadlock");
        (waiting.isCompletedExceptionally() ? first : second).release();
        CompletableFuture<FileLock> other = waiting.isCompletedExceptionally() ? closing : waiting;
        assertThat(other.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isNotNull();
    }

    @Test
    void shouldFailReadsAndWritesOfWhoLostALockUntilItLetsGo() throws Exception {
        ByteBuffer bytes = ByteBuffer.allocate(8192);
        one.write(bytes, 0);
        try (FileChannel beside =
                FileChannel.open(volume.mount(1).resolve("f"), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            FileLock lock = one.lock(0, 10, false);
            assertThat(one.read(bytes.clear(), 0)).isEqualTo(8192);
            volume.loseLocks(1);
            assertThat(two.tryLock(0, 10, false)).isNotNull();
            // What the kernel has cached it may show for a moment more.
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
            while (!failsToRead(one)) {
                assertThat(System.nanoTime()).isLessThan(deadline);
            }
            assertThatThrownBy(() -> one.write(bytes.clear(), 0)).hasMessageContaining("Input/output error");
            assertThat(beside.write(bytes.clear(), 0)).isEqualTo(8192);
            lock.release();
            assertThat(one.read(bytes.clear(), 0)).isEqualTo(8192);
            assertThat(one.write(bytes.clear(), 0)).isEqualTo(8192);
        }
    }

    private static boolean failsToRead(FileChannel channel) {
        try {
            channel.read(ByteBuffer.allocate(8192), 0);
            return false;
        } catch (IOException e) {
            return String.valueOf(e.getMessage()).contains("Input/output error");
        }
    }
}
