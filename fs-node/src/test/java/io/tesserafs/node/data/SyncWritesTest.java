package io.tesserafs.node.data;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.VolumeService;
import java.lang.foreign.Arena;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Writing with O_SYNC or O_DSYNC past the page cache, after which the kernel sends no FSYNC. */
@Timeout(60)
class SyncWritesTest {
    private static final int O_WRONLY = 1;
    private static final int O_APPEND = 0x400;
    private static final int O_DSYNC = 0x1000;
    private static final int O_SYNC = 0x101000;
    private static final int BYTES = 5000;

    private final FakeRequest write = new FakeRequest();
    private final AtomicBoolean fails = new AtomicBoolean();
    /** What happened before the write was answered. */
    private final List<String> before = new CopyOnWriteArrayList<>();

    private interface Call {
        void happened(String method, Object[] args) throws Exception;
    }

    private static <T> T watched(Class<T> type, T target, Call call) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, args) -> {
            try {
                Object result = method.invoke(target, args);
                call.happened(method.getName(), args);
                return result;
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }));
    }

    private void happened(String what) {
        if (!write.isAnswered()) {
            before.add(what);
        }
    }

    private BrickClient watchedBrick(BrickClient brick) {
        return watched(BrickClient.class, brick, (method, args) -> {
            if (method.equals("flushAll")) {
                happened("flush");
                if (fails.get()) {
                    throw new BrickException(BrickException.Reason.IO, "a flush that fails on purpose");
                }
            }
        });
    }

    private VolumeService watchedOwner(VolumeService owner) {
        return watched(VolumeService.class, owner, (method, args) -> {
            if (method.equals("commit")) {
                happened(((VolumeService.DataCommit) args[1]).durable() ? "durable commit" : "commit");
            } else if (method.equals("sync")) {
                happened("sync");
            }
        });
    }

    private Nodes nodes(Path directory, int count) throws Exception {
        return new Nodes(directory, 128L << 20, count, this::watchedBrick, this::watchedOwner);
    }

    private static FakeRequest.Answer create(TesseraFileSystem files, int flags) {
        FakeRequest rq = new FakeRequest();
        files.create(rq, VolumeService.ROOT, "f".getBytes(US_ASCII), 0644, O_WRONLY | flags, false);
        return rq.await();
    }

    private static FakeRequest.Answer write(
            TesseraFileSystem files, FakeRequest rq, FakeRequest.Answer file, boolean direct, int flags) {
        try (Arena arena = Arena.ofShared()) {
            var payload = arena.allocate(BYTES).fill((byte) 1);
            files.write(rq, file.attr().ino(), file.number(), 0, payload, direct, false, false, O_WRONLY | flags);
            return rq.await();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {O_SYNC, O_DSYNC, O_SYNC | O_APPEND})
    void shouldAnswerADirectWriteWhenItIsDurable(int flags, @TempDir Path directory) throws Exception {
        try (Nodes nodes = nodes(directory, 2)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, flags);
            before.clear();
            assertThat(write(files, write, file, true, flags).number()).isEqualTo(BYTES);
            assertThat(before).containsExactly("flush", "durable commit", "sync");
        }
    }

    @Test
    void shouldAnswerADirectWriteOfANodeAloneWhenItIsDurable(@TempDir Path directory) throws Exception {
        try (Nodes nodes = nodes(directory, 1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            files.alone(true);
            FakeRequest.Answer file = create(files, O_DSYNC);
            before.clear();
            assertThat(write(files, write, file, true, O_DSYNC).number()).isEqualTo(BYTES);
            assertThat(before).containsExactly("flush", "durable commit", "sync");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, O_APPEND})
    void shouldWaitForNothingIfNotAsked(int flags, @TempDir Path directory) throws Exception {
        try (Nodes nodes = nodes(directory, 2)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, flags);
            before.clear();
            assertThat(write(files, write, file, true, flags).number()).isEqualTo(BYTES);
            assertThat(before).isEmpty();
        }
    }

    @Test
    void shouldLeaveABufferedWriteToTheFsyncThatFollows(@TempDir Path directory) throws Exception {
        try (Nodes nodes = nodes(directory, 1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, O_SYNC);
            before.clear();
            assertThat(write(files, write, file, false, O_SYNC).number()).isEqualTo(BYTES);
            assertThat(before).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {O_SYNC, O_SYNC | O_APPEND})
    void shouldFailIfTheWriteCannotBeMadeDurable(int flags, @TempDir Path directory) throws Exception {
        try (Nodes nodes = nodes(directory, 2)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, flags);
            fails.set(true);
            assertThat(write(files, write, file, true, flags).errno()).isEqualTo(Errno.EIO);
            fails.set(false);
            FakeRequest read = new FakeRequest();
            files.read(read, file.attr().ino(), file.number(), 0, BYTES, false); // waits for writes that are under way
            assertThat(read.await().data()).hasSize(BYTES).containsOnly(1);
        }
    }

    /** As fsync would. */
    @Test
    void shouldSayOnceWhatWasLostBefore(@TempDir Path directory) throws Exception {
        try (Nodes nodes = nodes(directory, 2)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files, O_SYNC);
            assertThat(write(files, new FakeRequest(), file, true, 0).number()).isEqualTo(BYTES);
            files.sessionLost();
            assertThat(write(files, new FakeRequest(), file, true, O_SYNC).errno())
                    .isEqualTo(Errno.EIO);
            assertThat(write(files, new FakeRequest(), file, true, O_SYNC).number())
                    .isEqualTo(BYTES);
        }
    }
}
