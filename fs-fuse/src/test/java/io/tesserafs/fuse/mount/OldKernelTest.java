package io.tesserafs.fuse.mount;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fuse.MemoryFileSystem;
import io.tesserafs.fuse.OpenFlags;
import io.tesserafs.fuse.Request;
import io.tesserafs.fuse.protocol.SessionOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is done with kernels older than 6.16, on whatever kernel there is. */
@Tag("fuse")
class OldKernelTest {
    private static final int MINOR_6_12 = 41;
    private static final int MIB = 1 << 20;
    private static final int FILE_MIB = 5;
    private static final int PATIENCE_S = 20;

    @TempDir
    Path mnt;

    private final AtomicInteger opens = new AtomicInteger();
    private final AtomicInteger reads = new AtomicInteger();
    private final AtomicInteger getattrs = new AtomicInteger();
    private final CountDownLatch writing = new CountDownLatch(1);
    private final CountDownLatch mayWrite = new CountDownLatch(1);
    private volatile boolean opensDirect;
    private FuseMount mount;

    @BeforeEach
    void mount() throws IOException {
        MemoryFileSystem fs = new MemoryFileSystem() {
            @Override
            public void open(Request rq, long ino, int flags, boolean killSuidGid) {
                opens.incrementAndGet();
                if (opensDirect) {
                    rq.replyOpen(ino, OpenFlags.DIRECT_IO | OpenFlags.PARALLEL_DIRECT_WRITES);
                } else {
                    super.open(rq, ino, flags, killSuidGid);
                }
            }

            @Override
            public void getattr(Request rq, long ino, long fh) {
                getattrs.incrementAndGet();
                super.getattr(rq, ino, fh);
            }

            @Override
            public void write(
                    Request rq,
                    long ino,
                    long fh,
                    long offset,
                    MemorySegment payload,
                    boolean direct,
                    boolean fromCache,
                    boolean killSuidGid,
                    int openFlags) {
                if (opensDirect) {
                    writing.countDown();
                    awaitUninterruptibly(mayWrite);
                }
                super.write(rq, ino, fh, offset, payload, direct, fromCache, killSuidGid, openFlags);
            }

            @Override
            public void read(Request rq, long ino, long fh, long offset, int size, boolean direct) {
                reads.incrementAndGet();
                super.read(rq, ino, fh, offset, size, direct);
            }
        };
        mount = FuseMount.mount(
                mnt, fs, MountOptions.defaults("test").withSession(SessionOptions.DEFAULT.withNewestMinor(MINOR_6_12)));
    }

    @AfterEach
    void unmount() throws IOException {
        mount.close();
    }

    @Test
    void shouldReadAFilePastTheFileSystemAndLeaveNothingCached() throws IOException {
        byte[] bytes = new byte[FILE_MIB * MIB + 10];
        new Random(1).nextBytes(bytes);
        Path file = Files.write(mnt.resolve("file"), bytes);
        long ino = (long) Files.getAttribute(file, "unix:ino");
        int opened = opens.get();
        int asked = getattrs.get();
        assertThat(mount.session().minor()).isEqualTo(MINOR_6_12);

        mount.session().invalidateInode(ino, 0, 0);
        mount.session().awaitWriteback(ino, 0, Long.MAX_VALUE);
        assertThat(opens).hasValue(opened);
        assertThat(reads).hasValue(0);
        // Which might wait for a token of somebody who waits for this one.
        assertThat(getattrs).hasValue(asked);
        // A megabyte at most for each, and the last page.
        assertThat(mount.stats().errorsByOperation().get("read")).isGreaterThan(FILE_MIB);

        assertThat(file).hasBinaryContent(bytes);
        assertThat(reads.get()).isPositive();
    }

    @Test
    void shouldNotMindAnInodeThatTheKernelDoesNotKnow() {
        mount.session().awaitWriteback(4711, 0, Long.MAX_VALUE);
        assertThat(mount.stats().errorsByOperation()).doesNotContainKey("read");
    }

    @Test
    void shouldNotWaitForDirectWritesWhichMayWaitForIt() throws Exception {
        Path file = Files.write(mnt.resolve("file"), new byte[MIB]);
        long ino = (long) Files.getAttribute(file, "unix:ino");
        opensDirect = true;
        try (ExecutorService threads = Executors.newFixedThreadPool(2);
                FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            try {
                Future<Integer> written = threads.submit(() -> channel.write(ByteBuffer.wrap(new byte[4096]), 0));
                awaitUninterruptibly(writing);
                threads.submit(() -> mount.session().awaitWriteback(ino, 0, MIB))
                        .get(PATIENCE_S, TimeUnit.SECONDS);
                assertThat(written.isDone()).isFalse();
                mayWrite.countDown();
                assertThat(written.get(PATIENCE_S, TimeUnit.SECONDS)).isEqualTo(4096);
            } finally {
                mayWrite.countDown();
            }
        }
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void shouldUnmountAfterwards() throws IOException {
        Path file = Files.writeString(mnt.resolve("file"), "x");
        long ino = (long) Files.getAttribute(file, "unix:ino");
        mount.session().awaitWriteback(ino, 0, 1);
        mount.unmount();
        assertThat(mount.isMounted()).isFalse();
    }
}
