package io.tesserafs.node.data;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.namespace.VolumeService;
import java.lang.foreign.Arena;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Closing a file whose owner is on another host, and what comes after it. */
@Timeout(60)
class ClosedFilesTest {
    private static final int O_WRONLY = 1;

    private final CountDownLatch released = new CountDownLatch(1);
    private final List<String> answered = new CopyOnWriteArrayList<>();
    private final AtomicInteger commitsToPutOff = new AtomicInteger();
    private final FakeRequest request = new FakeRequest();
    private FakeRequest.Answer closed;

    /** The owner as if it were far away: its answers to commits wait. */
    private VolumeService far(VolumeService owner) {
        return (VolumeService) Proxy.newProxyInstance(
                VolumeService.class.getClassLoader(), new Class<?>[] {VolumeService.class}, (self, method, args) -> {
                    if (method.getName().equals("mayWait")) {
                        return true;
                    }
                    if (method.getName().equals("commit")) {
                        released.await();
                        if (commitsToPutOff.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
                            throw new UnavailableException("not yet");
                        }
                    }
                    try {
                        Object result = method.invoke(owner, args);
                        answered.add(method.getName());
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @Test
    void shouldCommitAClosedFileBeforeItReplacesAnother(@TempDir Path directory) throws Exception {
        shouldCommitBefore(
                "rename",
                directory,
                files -> files.rename(request, VolumeService.ROOT, bytes("new"), VolumeService.ROOT, bytes("name"), 0));
    }

    @Test
    void shouldCommitAClosedFileBeforeItGetsAnotherName(@TempDir Path directory) throws Exception {
        shouldCommitBefore(
                "link",
                directory,
                files -> files.link(request, closed.attr().ino(), VolumeService.ROOT, bytes("name")));
    }

    private void shouldCommitBefore(String change, Path directory, Consumer<TesseraFileSystem> ask) throws Exception {
        try (Arena arena = Arena.ofShared();
                Nodes nodes = new Nodes(directory, 128L << 20, 1, UnaryOperator.identity(), this::far)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest create = new FakeRequest();
            files.create(create, VolumeService.ROOT, bytes("new"), 0644, O_WRONLY, false);
            closed = create.await();
            FakeRequest write = new FakeRequest();
            long ino = closed.attr().ino();
            files.write(write, ino, closed.number(), 0, arena.allocate(100), false, false, false, 0);
            assertThat(write.await().number()).isEqualTo(100);
            FakeRequest flush = new FakeRequest();
            files.flush(flush, ino, closed.number(), 1);
            assertThat(flush.await().errno()).isZero();
            assertThat(answered).doesNotContain("commit");
            Thread.ofPlatform().daemon().start(() -> ask.accept(files));
            while (!files.isCommitContended(ino) && !request.isAnswered()) {
                Thread.onSpinWait();
            }
            released.countDown();
            assertThat(request.await().errno()).isZero();
            assertThat(answered).containsSubsequence("commit", change);
        }
    }

    /** A file "new" that is written and closed, and of which the owner has not heard. */
    private FakeRequest.Answer writeAndClose(TesseraFileSystem files, Arena arena) {
        FakeRequest create = new FakeRequest();
        files.create(create, VolumeService.ROOT, bytes("new"), 0644, O_WRONLY, false);
        FakeRequest.Answer file = create.await();
        long ino = file.attr().ino();
        FakeRequest write = new FakeRequest();
        files.write(write, ino, file.number(), 0, arena.allocate(100), false, false, false, 0);
        assertThat(write.await().number()).isEqualTo(100);
        FakeRequest flush = new FakeRequest();
        files.flush(flush, ino, file.number(), 1);
        assertThat(flush.await().errno()).isZero();
        FakeRequest release = new FakeRequest();
        files.release(release, ino, file.number(), null);
        assertThat(release.await().errno()).isZero();
        return file;
    }

    private static int rename(TesseraFileSystem files) {
        FakeRequest rq = new FakeRequest();
        files.rename(rq, VolumeService.ROOT, bytes("new"), VolumeService.ROOT, bytes("name"), 0);
        return rq.await().errno();
    }

    @Test
    void shouldRenameAClosedFileWhenTheOwnerTakesItsBytesAtLast(@TempDir Path directory) throws Exception {
        released.countDown();
        try (Arena arena = Arena.ofShared();
                Nodes nodes = new Nodes(directory, 128L << 20, 1, UnaryOperator.identity(), this::far)) {
            TesseraFileSystem files = nodes.files.getFirst();
            commitsToPutOff.set(3);
            writeAndClose(files, arena);
            while (commitsToPutOff.get() == 3) {
                Thread.onSpinWait();
            }
            assertThat(rename(files)).isZero();
            assertThat(commitsToPutOff).hasValue(0);
            assertThat(answered).containsSubsequence("commit", "rename");
        }
    }

    @Test
    void shouldSayInsteadOfRenamingAClosedFileThatItsBytesAreLost(@TempDir Path directory) throws Exception {
        released.countDown();
        try (Arena arena = Arena.ofShared();
                Nodes nodes = new Nodes(directory, 128L << 20, 1, UnaryOperator.identity(), this::far)) {
            TesseraFileSystem files = nodes.files.getFirst();
            commitsToPutOff.set(Integer.MAX_VALUE);
            FakeRequest.Answer file = writeAndClose(files, arena);
            files.sessionLost();
            commitsToPutOff.set(0);
            assertThat(rename(files)).isEqualTo(Errno.EIO);
            assertThat(answered).doesNotContain("rename");
            FakeRequest link = new FakeRequest();
            files.link(link, file.attr().ino(), VolumeService.ROOT, bytes("name"));
            assertThat(link.await().errno()).as("once it was said").isZero();
        }
    }

    private static byte[] bytes(String name) {
        return name.getBytes(US_ASCII);
    }
}
