package io.tesserafs.node.data;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeService;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What could not be saved when nobody called fsync: the next one says so, whoever calls it, and once. */
@Timeout(60)
class UntoldFailuresTest {
    private static final int O_RDONLY = 0;
    private static final int O_RDWR = 2;

    private final AtomicBoolean commitsFail = new AtomicBoolean();
    private Nodes nodes;
    private TesseraFileSystem files;
    private long ino;

    @BeforeEach
    void start(@TempDir Path directory) throws IOException {
        nodes = new Nodes(directory, 128L << 20, 1, client -> client, this::failing);
        files = nodes.files.getFirst();
    }

    @AfterEach
    void stop() throws IOException {
        nodes.close();
    }

    private VolumeService failing(VolumeService owner) {
        return (VolumeService) Proxy.newProxyInstance(
                VolumeService.class.getClassLoader(), new Class<?>[] {VolumeService.class}, (self, method, args) -> {
                    if (method.getName().equals("commit") && commitsFail.get()) {
                        throw new FsException(Errno.ENOSPC, "a commit that fails on purpose");
                    }
                    try {
                        return method.invoke(owner, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private long create() {
        FakeRequest rq = new FakeRequest();
        files.create(rq, VolumeService.ROOT, "f".getBytes(US_ASCII), 0644, O_RDWR, false);
        ino = rq.await().attr().ino();
        return rq.await().number();
    }

    private long open(int flags) {
        FakeRequest rq = new FakeRequest();
        files.open(rq, ino, flags, false);
        assertThat(rq.await().errno()).isZero();
        return rq.await().number();
    }

    private void write(long handle) {
        try (Arena arena = Arena.ofShared()) {
            FakeRequest rq = new FakeRequest();
            files.write(rq, ino, handle, 0, arena.allocate(100), false, false, false, O_RDWR);
            assertThat(rq.await().number()).isEqualTo(100);
        }
    }

    private int fsync(long handle) {
        FakeRequest rq = new FakeRequest();
        files.fsync(rq, ino, handle, false);
        return rq.await().errno();
    }

    private int close(long handle) {
        FakeRequest rq = new FakeRequest();
        files.flush(rq, ino, handle, 1);
        return rq.await().errno();
    }

    private void release(long handle) {
        FakeRequest rq = new FakeRequest();
        files.release(rq, ino, handle, null);
        assertThat(rq.await().errno()).isZero();
    }

    /** What the background does every few seconds. */
    private int commitAll() {
        FakeRequest rq = new FakeRequest();
        files.syncfs(rq, VolumeService.ROOT);
        return rq.await().errno();
    }

    private long filesKnown() {
        return files.population()[1];
    }

    /** Of a file that is closed. */
    private void writeAndLose() {
        long writer = create();
        write(writer);
        release(writer);
        files.sessionLost();
        assertThat(filesKnown()).isZero();
    }

    @Test
    void shouldTellTheNextOpenerOfALossAfterTheLastClose() {
        writeAndLose();
        long next = open(O_RDWR);
        assertThat(close(next)).isZero();
        assertThat(fsync(next)).isEqualTo(Errno.EIO);
        assertThat(fsync(next)).isZero();
        release(next);
        long third = open(O_RDWR);
        assertThat(fsync(third)).isZero();
    }

    @Test
    void shouldTellWhoeverCallsFsyncThoughOthersOpenedTheFileInBetween() {
        writeAndLose();
        long reader = open(O_RDONLY);
        assertThat(close(reader)).isZero();
        release(reader);
        assertThat(filesKnown()).isZero();
        long next = open(O_RDONLY);
        assertThat(fsync(next)).isEqualTo(Errno.EIO);
        assertThat(fsync(next)).isZero();
    }

    @Test
    void shouldTellEveryHandleThatWasOpenedBeforeSomebodyWasTold() {
        writeAndLose();
        long one = open(O_RDWR);
        long two = open(O_RDWR);
        assertThat(fsync(one)).isEqualTo(Errno.EIO);
        long three = open(O_RDWR);
        assertThat(fsync(three)).isZero();
        assertThat(fsync(two)).isEqualTo(Errno.EIO);
        assertThat(fsync(two)).isZero();
        assertThat(fsync(one)).isZero();
    }

    @Test
    void shouldTellTheNextOpenerWhileTheHandleThatLostBytesIsOpen() {
        long writer = create();
        write(writer);
        files.sessionLost();
        assertThat(close(writer)).isEqualTo(Errno.EIO);
        long next = open(O_RDWR);
        assertThat(close(next)).isZero();
        assertThat(fsync(next)).isEqualTo(Errno.EIO);
        assertThat(close(writer)).isEqualTo(Errno.EIO);
        assertThat(fsync(writer)).isEqualTo(Errno.EIO);
        assertThat(fsync(open(O_RDWR))).isZero();
        assertThat(close(writer)).isZero();
        assertThat(fsync(writer)).isZero();
    }

    @Test
    void shouldNotTellThatOnlyTheTimeOfTheLastReadIsLost() {
        long writer = create();
        write(writer);
        assertThat(fsync(writer)).isZero();
        FakeRequest rq = new FakeRequest();
        files.read(rq, ino, writer, 0, 100, false);
        assertThat(rq.await().data()).hasSize(100);
        release(writer);
        assertThat(filesKnown()).isOne(); // as the time is to be saved
        files.sessionLost();
        assertThat(filesKnown()).isZero();
        assertThat(fsync(open(O_RDWR))).isZero();
    }

    @Test
    void shouldReportAtCloseWhatHappensAfterTheOpen() {
        writeAndLose();
        long next = open(O_RDWR);
        write(next);
        files.sessionLost();
        assertThat(close(next)).isEqualTo(Errno.EIO);
        assertThat(fsync(next)).isEqualTo(Errno.EIO);
        assertThat(close(next)).isZero();
    }

    @Test
    void shouldTellTheNextOpenerOfACommitThatFailedInTheBackground() {
        long writer = create();
        write(writer);
        release(writer);
        commitsFail.set(true);
        assertThat(commitAll()).isEqualTo(Errno.EIO);
        commitsFail.set(false);
        assertThat(commitAll()).isZero();
        assertThat(filesKnown()).isZero();
        long next = open(O_RDWR);
        assertThat(fsync(next)).isEqualTo(Errno.ENOSPC);
        assertThat(fsync(next)).isZero();
        assertThat(fsync(open(O_RDWR))).isZero();
    }

    @Test
    void shouldForgetTheOldestOfTooMany() {
        UntoldFailures failures = new UntoldFailures();
        for (int i = 1; i <= UntoldFailures.MAX_FILES; i++) {
            failures.remember(i, Errno.EIO);
        }
        failures.remember(1, Errno.ENOSPC); // now the youngest
        failures.remember(UntoldFailures.MAX_FILES + 1, Errno.EIO);
        assertThat(failures.take(2)).isZero();
        assertThat(failures.take(1)).isEqualTo(Errno.ENOSPC);
        assertThat(failures.take(1)).isZero();
        assertThat(failures.take(3)).isEqualTo(Errno.EIO);
        assertThat(failures.take(UntoldFailures.MAX_FILES + 1)).isEqualTo(Errno.EIO);
    }
}
