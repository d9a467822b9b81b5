package io.tesserafs.node.data;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of changes that the owner has not heard of when something comes in between. */
@Timeout(60)
class UnsavedChangesTest {
    private static final int O_RDWR = 2;
    private static final int KEEP_SIZE = 1;
    private static final int PUNCH = 2;
    private static final int TILE = BlockId.BLOCK_BYTES;

    @TempDir
    Path directory;

    private final Arena arena = Arena.ofShared();

    // What happens to the nodes' calls, and to the first node's.
    private final AtomicBoolean flushesWait = new AtomicBoolean();
    private final AtomicBoolean flushesFail = new AtomicBoolean();
    private final AtomicBoolean commitsWait = new AtomicBoolean();
    private final AtomicBoolean commitsFail = new AtomicBoolean();
    private final AtomicInteger commitsToPutOff = new AtomicInteger();
    private final AtomicInteger timesAway = new AtomicInteger();
    private final AtomicBoolean noBlocks = new AtomicBoolean();
    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);
    private final List<DataCommit> commits = new CopyOnWriteArrayList<>();
    private final List<AtomicBoolean> handles = new CopyOnWriteArrayList<>();
    private final AtomicInteger services = new AtomicInteger();

    @AfterEach
    void free() {
        arena.close();
    }

    /** Handles that can be made to look dead, and flushes that wait or fail. */
    private BrickClient wrap(BrickClient client) {
        return proxy(BrickClient.class, (method, args) -> {
            if (method.getName().startsWith("unmap")) {
                return null; // of wrapped handles, which the brick does not know
            }
            if (method.getName().equals("mapAll") && timesAway.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
                throw new BrickException(BrickException.Reason.UNREACHABLE, "away for a moment");
            }
            Object result = call(client, method, args);
            return method.getName().equals("mapAll") ? wrap((List<?>) result) : result;
        });
    }

    private List<Mapping> wrap(List<?> mappings) throws BrickException {
        List<Mapping> wrapped = new ArrayList<>();
        for (Object mapping : mappings) {
            BlockHandle handle = ((Mapping) mapping).handle();
            AtomicBoolean dead = new AtomicBoolean();
            handles.add(dead);
            wrapped.add(Mapping.of(proxy(BlockHandle.class, (method, args) -> {
                if (method.getName().equals("alive")) {
                    return !dead.get();
                }
                if (method.getName().equals("flush") && flushesWait.get()) {
                    entered.countDown();
                    released.await();
                }
                if (method.getName().equals("flush") && flushesFail.get()) {
                    throw new BrickException(BrickException.Reason.IO, "a flush that fails on purpose");
                }
                return call(handle, method, args);
            })));
        }
        return wrapped;
    }

    private VolumeService wrap(VolumeService owner) {
        if (services.getAndIncrement() > 0) {
            return owner;
        }
        return proxy(VolumeService.class, (method, args) -> {
            if (method.getName().equals("commit")) {
                commits.add((DataCommit) args[1]);
                if (commitsWait.get()) {
                    entered.countDown();
                    released.await();
                }
                if (commitsToPutOff.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
                    throw new UnavailableException("not yet");
                }
                if (commitsFail.get()) {
                    throw new FsException(Errno.EIO, "a commit that fails on purpose");
                }
            }
            if (method.getName().equals("allocate") && noBlocks.get() && (int) args[0] == TILE) {
                throw new FsException(Errno.ENOSPC, "no block left");
            }
            return call(owner, method, args);
        });
    }

    private interface Behaviour {
        Object call(Method method, Object[] args) throws Exception;
    }

    private static <T> T proxy(Class<T> type, Behaviour behaviour) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (self, method, args) -> behaviour.call(method, args)));
    }

    private static Object call(Object target, Method method, Object... args) throws Exception {
        try {
            return method.invoke(target, args);
        } catch (InvocationTargetException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }

    private Nodes nodes(int count) throws Exception {
        return new Nodes(directory, 128L << 20, count, this::wrap, this::wrap);
    }

    private static FakeRequest.Answer create(TesseraFileSystem files) {
        return create(files, "f");
    }

    private static FakeRequest.Answer create(TesseraFileSystem files, String name) {
        FakeRequest rq = new FakeRequest();
        files.create(rq, VolumeService.ROOT, name.getBytes(US_ASCII), 0644, O_RDWR, false);
        return rq.await();
    }

    private static FakeRequest.Answer open(TesseraFileSystem files, FakeRequest.Answer created) {
        FakeRequest rq = new FakeRequest();
        files.open(rq, created.attr().ino(), O_RDWR, false);
        FakeRequest.Answer opened = rq.await();
        FakeRequest attr = new FakeRequest();
        files.getattr(attr, created.attr().ino(), FileSystem.NO_HANDLE);
        return new FakeRequest.Answer(
                opened.errno(), opened.number(), opened.data(), attr.await().attr());
    }

    private void write(TesseraFileSystem files, FakeRequest.Answer file, long offset, int length, int content) {
        FakeRequest rq = new FakeRequest();
        MemorySegment payload = arena.allocate(length).fill((byte) content);
        files.write(rq, file.attr().ino(), file.number(), offset, payload, false, false, false, 0);
        FakeRequest.Answer answer = rq.await();
        assertThat(answer.errno()).isZero();
        assertThat(answer.number()).isEqualTo(length);
    }

    private static FakeRequest fsync(TesseraFileSystem files, FakeRequest.Answer file) {
        FakeRequest rq = new FakeRequest();
        Thread.ofPlatform().daemon().start(() -> files.fsync(rq, file.attr().ino(), file.number(), false));
        return rq;
    }

    private static FakeRequest read(TesseraFileSystem files, FakeRequest.Answer file, long offset, int length) {
        FakeRequest rq = new FakeRequest();
        Thread.ofPlatform()
                .daemon()
                .start(() -> files.read(rq, file.attr().ino(), file.number(), offset, length, false));
        return rq;
    }

    private static FakeRequest.Answer allocate(
            TesseraFileSystem files, FakeRequest.Answer file, long offset, long length, int mode) {
        FakeRequest rq = new FakeRequest();
        files.fallocate(rq, file.attr().ino(), file.number(), offset, length, mode);
        return rq.await();
    }

    @Test
    void shouldNotTakeTheOwnersWordFromBeforeACommitThatIsUnderWay() throws Exception {
        try (Nodes nodes = nodes(1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files);
            write(files, file, 0, 100, 1);
            assertThat(fsync(files, file).await().errno()).isZero();
            write(files, file, 100, 3900, 1);
            commitsWait.set(true);
            FakeRequest fsync = fsync(files, file);
            entered.await();
            handles.forEach(dead -> dead.set(true));
            FakeRequest read = read(files, file, 0, 4000);
            while (!read.isAnswered() && !files.isCommitContended(file.attr().ino())) {
                Thread.onSpinWait();
            }
            commitsWait.set(false);
            released.countDown();
            assertThat(fsync.await().errno()).isZero();
            assertThat(read.await().data()).hasSize(4000).containsOnly(1);
            write(files, file, 4000, 96, 1);
            assertThat(read(files, file, 0, 4096).await().data()).hasSize(4096).containsOnly(1);
        }
    }

    @Test
    void shouldTakeNothingOfACommitUnderWayIntoTheNextSession() throws Exception {
        try (Nodes nodes = nodes(1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files);
            write(files, file, 0, 100, 1);
            write(files, file, TILE, 4096, 2);
            assertThat(fsync(files, file).await().errno()).isZero();
            write(files, file, 0, 100, 3);
            assertThat(allocate(files, file, TILE, TILE, PUNCH | KEEP_SIZE).errno())
                    .isZero();
            flushesWait.set(true);
            FakeRequest fsync = fsync(files, file);
            entered.await();
            files.sessionLost();
            flushesFail.set(true);
            flushesWait.set(false);
            released.countDown();
            assertThat(fsync.await().errno()).isEqualTo(Errno.EIO);
            flushesFail.set(false);
            commits.clear();
            write(files, file, 0, 100, 4);
            fsync(files, file).await();
            assertThat(commits)
                    .isNotEmpty()
                    .allSatisfy(commit -> assertThat(commit.holes()).isEmpty());
            assertThat(read(files, file, TILE, 4096).await().data())
                    .hasSize(4096)
                    .containsOnly(2);
        }
    }

    @Test
    void shouldNotCommitInTheNextSessionWhatWasFlushedInTheLast() throws Exception {
        try (Nodes nodes = nodes(1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files);
            write(files, file, 0, 100, 1);
            flushesWait.set(true);
            FakeRequest fsync = fsync(files, file);
            entered.await();
            files.sessionLost();
            flushesWait.set(false);
            commits.clear();
            released.countDown();
            assertThat(fsync.await().errno()).isEqualTo(Errno.EIO);
            assertThat(commits).isEmpty();
        }
    }

    /** A sparse file of the first node, of which the second knows the size; then the first fills a hole in its only tile. */
    private FakeRequest.Answer[] sharedWithNews(Nodes nodes) {
        TesseraFileSystem first = nodes.files.get(0);
        FakeRequest.Answer file = create(first);
        FakeRequest resize = new FakeRequest();
        first.setattr(
                resize, file.attr().ino(), new SetAttr(SetAttr.SIZE, FileSystem.NO_HANDLE, 0, 0, 0, 1 << 20, 0, 0, 0));
        assertThat(resize.await().errno()).isZero();
        write(first, file, 0, 100, 1);
        FakeRequest.Answer there = open(nodes.files.get(1), file);
        write(first, file, 100, 200, 1);
        return new FakeRequest.Answer[] {file, there};
    }

    @Test
    void shouldHandOverWhatItHasThoughThereIsNoSpaceToShareATile() throws Exception {
        try (Nodes nodes = nodes(2)) {
            FakeRequest.Answer[] file = sharedWithNews(nodes);
            noBlocks.set(true);
            byte[] seen = read(nodes.files.get(1), file[1], 0, 300).await().data();
            assertThat(seen).hasSize(300).containsOnly(1);
        }
    }

    @Test
    void shouldHandOverAsSoonAsTheOwnerTakesIt() throws Exception {
        try (Nodes nodes = nodes(2)) {
            FakeRequest.Answer[] file = sharedWithNews(nodes);
            commitsToPutOff.set(3);
            byte[] seen = read(nodes.files.get(1), file[1], 0, 300).await().data();
            assertThat(seen).hasSize(300).containsOnly(1);
            assertThat(fsync(nodes.files.get(0), file[0]).await().errno()).isZero();
        }
    }

    @Test
    void shouldSaveAsSoonAsTheOwnerTakesIt() throws Exception {
        try (Nodes nodes = nodes(1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files);
            write(files, file, 0, 100, 1);
            commitsToPutOff.set(3);
            assertThat(fsync(files, file).await().errno()).isZero();
            assertThat(commitsToPutOff).hasValue(0);

            write(files, file, 100, 100, 1);
            commitsToPutOff.set(3);
            FakeRequest syncfs = new FakeRequest();
            files.syncfs(syncfs, VolumeService.ROOT);
            assertThat(syncfs.await().errno()).isZero();
            assertThat(commitsToPutOff).hasValue(0);

            write(files, file, 200, 100, 1);
            commitsToPutOff.set(3);
            FakeRequest close = new FakeRequest();
            files.flush(close, file.attr().ino(), file.number(), 1);
            assertThat(close.await().errno()).isZero();
            assertThat(commitsToPutOff).hasValue(0);

            write(files, file, 300, 100, 1);
            commitsToPutOff.set(3);
            FakeRequest resize = new FakeRequest();
            files.setattr(
                    resize,
                    file.attr().ino(),
                    new SetAttr(SetAttr.SIZE, FileSystem.NO_HANDLE, 0, 0, 0, 1 << 20, 0, 0, 0));
            assertThat(resize.await().errno()).isZero();
            assertThat(commitsToPutOff).hasValue(0);
            assertThat(read(files, file, 0, 400).await().data()).hasSize(400).containsOnly(1);
        }
    }

    @Test
    void shouldCopyBetweenFilesWhoseHandlesDied() throws Exception {
        try (Nodes nodes = nodes(1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer first = create(files, "first");
            FakeRequest.Answer second = create(files, "second");
            write(files, first, 0, 5000, 1);
            write(files, second, 0, 5000, 2);
            assertThat(copy(files, first, second)).isEqualTo(5000);
            assertThat(read(files, second, 0, 5000).await().data()).containsOnly(1);
            write(files, second, 0, 5000, 3);
            assertThat(copy(files, second, first)).isEqualTo(5000);
            assertThat(read(files, first, 0, 5000).await().data()).containsOnly(3);
        }
    }

    @Test
    void shouldWaitForABrickWhoseSpaceANewFileGotAsForOneThatHasItAlready() throws Exception {
        try (Nodes nodes = nodes(1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files);
            timesAway.set(3);
            write(files, file, 0, 100, 1);
            assertThat(timesAway).hasValue(0);
            timesAway.set(3);
            write(files, file, 100, TILE, 1); // to a larger place
            assertThat(timesAway).hasValue(0);
            assertThat(fsync(files, file).await().errno()).isZero();
            assertThat(read(files, file, 0, 100 + TILE).await().data())
                    .hasSize(100 + TILE)
                    .containsOnly(1);
        }
    }

    private long copy(TesseraFileSystem files, FakeRequest.Answer from, FakeRequest.Answer to) {
        handles.forEach(dead -> dead.set(true));
        FakeRequest rq = new FakeRequest();
        files.copyFileRange(rq, from.attr().ino(), from.number(), 0, to.attr().ino(), to.number(), 0, 5000);
        return rq.await().number();
    }

    @Test
    void shouldNotSaveLaterWhatCouldNotBeSavedBeforeTheTokenWent() throws Exception {
        try (Nodes nodes = nodes(2)) {
            FakeRequest.Answer[] file = sharedWithNews(nodes);
            commitsFail.set(true);
            assertThat(read(nodes.files.get(1), file[1], 0, 4096).await().errno())
                    .isZero();
            write(nodes.files.get(1), file[1], 0, 4096, 7);
            assertThat(fsync(nodes.files.get(1), file[1]).await().errno()).isZero();
            commitsFail.set(false);
            assertThat(fsync(nodes.files.get(0), file[0]).await().errno()).isEqualTo(Errno.EIO);
            assertThat(fsync(nodes.files.get(0), file[0]).await().errno()).isZero();
            for (int node = 0; node < 2; node++) {
                assertThat(read(nodes.files.get(node), file[node], 0, 4096)
                                .await()
                                .data())
                        .hasSize(4096)
                        .containsOnly(7);
            }
        }
    }

    @Test
    void shouldRememberHolesThatAFailedReservationWasToFill() throws Exception {
        try (Nodes nodes = nodes(1)) {
            TesseraFileSystem files = nodes.files.getFirst();
            FakeRequest.Answer file = create(files);
            write(files, file, TILE, 4096, 2);
            assertThat(fsync(files, file).await().errno()).isZero();
            assertThat(allocate(files, file, TILE, TILE, PUNCH | KEEP_SIZE).errno())
                    .isZero();
            assertThat(allocate(files, file, 0, 1L << 30, 0).errno()).isEqualTo(Errno.ENOSPC);
            assertThat(fsync(files, file).await().errno()).isZero();
            assertThat(nodes.owner().layout(file.attr().ino(), 0, 10))
                    .extracting(Extent::tile)
                    .doesNotContain(1L);
        }
    }
}
