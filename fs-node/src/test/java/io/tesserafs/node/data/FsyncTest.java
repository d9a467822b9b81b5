package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.node.namespace.VolumeService;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What fsync promises when several are under way, or when the brick fails. */
@Timeout(60)
class FsyncTest {
    private static final int O_RDWR = 2;

    private final AtomicBoolean blocks = new AtomicBoolean();
    private final AtomicBoolean fails = new AtomicBoolean();
    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);

    /** The brick, with flushes that wait or fail. */
    private BrickClient wrap(BrickClient client) {
        return proxy(BrickClient.class, client, (method, args, result) -> {
            return method.equals("mapAll") ? wrap((List<?>) result) : result;
        });
    }

    private List<Mapping> wrap(List<?> mappings) throws BrickException {
        List<Mapping> wrapped = new ArrayList<>();
        for (Object mapping : mappings) {
            wrapped.add(Mapping.of(wrap(((Mapping) mapping).handle())));
        }
        return wrapped;
    }

    private BlockHandle wrap(BlockHandle handle) {
        return proxy(BlockHandle.class, handle, (method, args, result) -> {
            if (method.equals("flush")) {
                if (blocks.get()) {
                    entered.countDown();
                    released.await();
                }
                if (fails.get()) {
                    throw new BrickException(BrickException.Reason.IO, "a flush that fails on purpose");
                }
            }
            return result;
        });
    }

    private interface After {
        Object then(String method, Object[] args, Object result) throws Exception;
    }

    private static <T> T proxy(Class<T> type, T target, After after) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, args) -> {
            try {
                boolean unmap =
                        method.getName().startsWith("unmap"); // of wrapped handles, which the brick does not know
                Object result = unmap ? null : method.invoke(target, args);
                return after.then(method.getName(), args, result);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }));
    }

    private static FakeRequest.Answer create(TesseraFileSystem files, String name) {
        FakeRequest rq = new FakeRequest();
        files.create(rq, VolumeService.ROOT, name.getBytes(StandardCharsets.US_ASCII), 0644, O_RDWR, false);
        return rq.await();
    }

    private static void write(TesseraFileSystem files, FakeRequest.Answer file, Arena arena) {
        FakeRequest rq = new FakeRequest();
        MemorySegment payload = arena.allocate(5000).fill((byte) 1);
        files.write(rq, file.attr().ino(), file.number(), 0, payload, false, false, false, 0);
        assertThat(rq.await().number()).isEqualTo(5000);
    }

    private static FakeRequest fsync(TesseraFileSystem files, FakeRequest.Answer file) {
        FakeRequest rq = new FakeRequest();
        Thread.ofPlatform().daemon().start(() -> files.fsync(rq, file.attr().ino(), file.number(), false));
        return rq;
    }

    @Test
    void shouldNotReturnBeforeTheFlushThatAnotherFsyncBegan(@TempDir Path directory) throws Exception {
        try (Arena arena = Arena.ofShared();
                Nodes nodes = new Nodes(directory, 128L << 20, 1, this::wrap)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, "f");
            write(files, file, arena);
            blocks.set(true);
            FakeRequest first = fsync(files, file);
            entered.await();
            FakeRequest second = fsync(files, file);
            while (!files.isCommitContended(file.attr().ino())) {
                Thread.onSpinWait();
            }
            assertThat(first.isAnswered()).isFalse();
            assertThat(second.isAnswered()).isFalse();
            blocks.set(false);
            released.countDown();
            assertThat(first.await().errno()).isZero();
            assertThat(second.await().errno()).isZero();
        }
    }

    @Test
    void shouldKeepWhatCouldNotBeFlushedForTheNextTry(@TempDir Path directory) throws Exception {
        try (Arena arena = Arena.ofShared();
                Nodes nodes = new Nodes(directory, 128L << 20, 1, this::wrap)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, "f");
            write(files, file, arena);
            fails.set(true);
            assertThat(fsync(files, file).await().errno()).isEqualTo(io.tesserafs.fuse.Errno.EIO);
            assertThat(nodes.owner().getattr(file.attr().ino()).size()).isZero();
            fails.set(false);
            assertThat(fsync(files, file).await().errno()).isZero();
            assertThat(nodes.owner().getattr(file.attr().ino()).size()).isEqualTo(5000);
            FakeRequest read = new FakeRequest();
            files.read(read, file.attr().ino(), file.number(), 0, 8192, false);
            assertThat(read.await().data()).hasSize(5000).containsOnly(1);
        }
    }

    @Test
    void shouldSayWhatIsLostThoughACloseHasSaidItBefore(@TempDir Path directory) throws Exception {
        try (Arena arena = Arena.ofShared();
                Nodes nodes = new Nodes(directory, 128L << 20, 1, client -> client)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, "f");
            write(files, file, arena);
            files.sessionLost();
            assertThat(close(files, file).errno())
                    .isEqualTo(io.tesserafs.fuse.Errno.EIO); // by a process that was forked
            assertThat(close(files, file).errno()).isEqualTo(io.tesserafs.fuse.Errno.EIO);
            assertThat(fsync(files, file).await().errno()).isEqualTo(io.tesserafs.fuse.Errno.EIO);
            assertThat(fsync(files, file).await().errno()).isZero();
            assertThat(close(files, file).errno()).isZero();
        }
    }

    /** Of one of the descriptors that share a handle. */
    private static FakeRequest.Answer close(TesseraFileSystem files, FakeRequest.Answer file) {
        FakeRequest rq = new FakeRequest();
        files.flush(rq, file.attr().ino(), file.number(), 1);
        return rq.await();
    }

    @Test
    void shouldGiveBackWhatAFailedReservationTook(@TempDir Path directory) throws Exception {
        try (Nodes nodes = new Nodes(directory, 128L << 20, 1, client -> client)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, "f");
            var before = nodes.owner().statistics();
            FakeRequest rq = new FakeRequest();
            files.fallocate(rq, file.attr().ino(), file.number(), 0, 1L << 30, 0);
            assertThat(rq.await().errno()).isEqualTo(io.tesserafs.fuse.Errno.ENOSPC);
            FakeRequest attr = new FakeRequest();
            files.getattr(attr, file.attr().ino(), -1);
            assertThat(attr.await().attr().blocks()).isZero();
            nodes.owner().sync();
            // Not only counted as free: it can be had.
            FakeRequest again = new FakeRequest();
            files.fallocate(
                    again,
                    file.attr().ino(),
                    file.number(),
                    0,
                    before.available() * before.blockBytes() - (16L << 20),
                    0);
            assertThat(again.await().errno()).isZero();
        }
    }

    @Test
    void shouldShowSuidClearedAtOnceWhenSomebodyElseWrites(@TempDir Path directory) throws Exception {
        try (Arena arena = Arena.ofShared();
                Nodes nodes = new Nodes(directory, 128L << 20, 1, client -> client)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest made = new FakeRequest();
            byte[] name = "s".getBytes(StandardCharsets.US_ASCII);
            files.create(made, VolumeService.ROOT, name, 06755, O_RDWR, false);
            FakeRequest.Answer file = made.await();
            FakeRequest rq = new FakeRequest();
            files.write(rq, file.attr().ino(), file.number(), 0, arena.allocate(10), false, false, true, 0);
            assertThat(rq.await().number()).isEqualTo(10);
            FakeRequest attr = new FakeRequest();
            files.getattr(attr, file.attr().ino(), -1);
            assertThat(attr.await().attr().mode() & 07777).isEqualTo(0755);
        }
    }
}
