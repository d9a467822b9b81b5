package io.tesserafs.fuse.mount;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fuse.MemoryFileSystem;
import io.tesserafs.fuse.Request;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernel sends WRITEs of mapped pages on the same way as READs into the page cache, and bounds how many there are. */
@Tag("fuse")
class WaitingReadsTest {
    private static final int READS = 200;
    private static final int MIB = 1 << 20;
    private static final int PATIENCE_S = 20;

    private final ConcurrentLinkedQueue<Runnable> waiting = new ConcurrentLinkedQueue<>();
    private final CountDownLatch arrived = new CountDownLatch(READS);
    private volatile long waitsFor;

    @Test
    void shouldNotHoldUpWhatOthersWaitFor(@TempDir Path mnt) throws Exception {
        MemoryFileSystem fs = new MemoryFileSystem() {
            @Override
            public void read(Request rq, long ino, long fh, long offset, int size, boolean direct) {
                if (ino != waitsFor) {
                    super.read(rq, ino, fh, offset, size, direct);
                    return;
                }
                rq.detach();
                waiting.add(() -> super.read(rq, ino, fh, offset, size, direct));
                arrived.countDown();
            }
        };
        try (FuseMount mount = FuseMount.mount(mnt, fs, MountOptions.defaults("test"));
                ExecutorService threads = Executors.newCachedThreadPool()) {
            Path file = mnt.resolve("read");
            try (FileChannel made = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                made.write(ByteBuffer.allocate(1), (long) READS * 4 * MIB);
            }
            Path other = Files.write(mnt.resolve("mapped"), new byte[4096]);
            long ino = (long) Files.getAttribute(other, "unix:ino");
            mount.session().invalidateInode((long) Files.getAttribute(file, "unix:ino"), 0, 0);
            waitsFor = (long) Files.getAttribute(file, "unix:ino");
            List<Future<Integer>> reads = new ArrayList<>();
            try (Arena arena = Arena.ofShared()) {
                changeThroughMapping(other, arena);
                try {
                    for (int i = 0; i < READS; i++) {
                        long at = (long) i * 4 * MIB;
                        reads.add(threads.submit(() -> {
                            try (FileChannel own = FileChannel.open(file)) {
                                return own.read(ByteBuffer.allocate(10), at);
                            }
                        }));
                    }
                    assertThat(arrived.await(PATIENCE_S, TimeUnit.SECONDS)).isTrue();
                    threads.submit(() -> mount.session().invalidateInode(ino, 0, 0))
                            .get(PATIENCE_S, TimeUnit.SECONDS);
                } finally {
                    waitsFor = 0;
                    waiting.forEach(Runnable::run);
                    for (Future<Integer> read : reads) {
                        assertThat(read.get(PATIENCE_S, TimeUnit.SECONDS)).isEqualTo(10);
                    }
                }
            }
        }
    }

    private static void changeThroughMapping(Path file, Arena arena) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_WRITE, 0, 4096, arena);
            mapped.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        }
    }
}
