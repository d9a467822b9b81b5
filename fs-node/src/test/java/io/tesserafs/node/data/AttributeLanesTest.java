package io.tesserafs.node.data;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fuse.Attributes;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.VolumeService;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sizes and times of a file that two nodes use, when a token for them goes in the middle of something. */
@Timeout(60)
class AttributeLanesTest {
    private static final int O_RDWR = 2;
    private static final int TILE = BlockId.BLOCK_BYTES;

    @TempDir
    Path directory;

    private final Arena arena = Arena.ofShared();
    private final AtomicInteger services = new AtomicInteger();
    /** The call of the first node to its owner that waits; the next one only. */
    private volatile String waits = "";

    private final CountDownLatch waiting = new CountDownLatch(1);
    private final CountDownLatch goOn = new CountDownLatch(1);

    @AfterEach
    void free() {
        goOn.countDown();
        arena.close();
    }

    private VolumeService firstWaits(VolumeService owner) {
        if (services.getAndIncrement() > 0) {
            return owner;
        }
        return (VolumeService) Proxy.newProxyInstance(
                VolumeService.class.getClassLoader(), new Class<?>[] {VolumeService.class}, (self, method, args) -> {
                    if (method.getName().equals(waits)) {
                        waits = "";
                        waiting.countDown();
                        goOn.await();
                    }
                    try {
                        return method.invoke(owner, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private Nodes twoNodes() throws Exception {
        return Nodes.onBricks(directory, 128L << 20, 2, 2, this::firstWaits);
    }

    /** A node's file. */
    private record File(TesseraFileSystem files, long ino, long handle) {
        static File create(TesseraFileSystem files) {
            FakeRequest rq = new FakeRequest();
            files.create(rq, VolumeService.ROOT, "f".getBytes(US_ASCII), 0644, O_RDWR, false);
            FakeRequest.Answer created = rq.await();
            return new File(files, created.attr().ino(), created.number());
        }

        File openedBy(TesseraFileSystem other) {
            FakeRequest rq = new FakeRequest();
            other.open(rq, ino, O_RDWR, false);
            return new File(other, ino, rq.await().number());
        }

        Attributes attributes() {
            FakeRequest rq = new FakeRequest();
            files.getattr(rq, ino, FileSystem.NO_HANDLE);
            return rq.await().attr();
        }

        void truncate(long size) {
            FakeRequest rq = new FakeRequest();
            files.setattr(rq, ino, new SetAttr(SetAttr.SIZE, FileSystem.NO_HANDLE, 0, 0, 0, size, 0, 0, 0));
            assertThat(rq.await().errno()).isZero();
        }

        FakeRequest beginSync() {
            FakeRequest rq = new FakeRequest();
            Thread.ofPlatform().daemon().start(() -> files.fsync(rq, ino, handle, false));
            return rq;
        }

        void sync() {
            assertThat(beginSync().await().errno()).isZero();
        }
    }

    private FakeRequest beginWrite(File file, long offset, int length) {
        FakeRequest rq = new FakeRequest();
        MemorySegment payload = arena.allocate(length).fill((byte) 1);
        Thread.ofPlatform()
                .daemon()
                .start(() -> file.files.write(rq, file.ino, file.handle, offset, payload, false, false, false, 0));
        return rq;
    }

    private void write(File file, long offset, int length) {
        assertThat(beginWrite(file, offset, length).await().number()).isEqualTo(length);
    }

    private static FakeRequest beginRead(File file, long offset, int length) {
        FakeRequest rq = new FakeRequest();
        Thread.ofPlatform().daemon().start(() -> file.files.read(rq, file.ino, file.handle, offset, length, false));
        return rq;
    }

    @Test
    void shouldTellOfGrowthThatHappenedWhileAnotherNodeTookItsLane() throws Exception {
        try (Nodes nodes = twoNodes()) {
            File writer = File.create(nodes.files.get(0));
            write(writer, 0, 100);
            File reader = writer.openedBy(nodes.files.get(1));
            assertThat(reader.attributes().size()).isEqualTo(100);
            write(writer, 0, 50); // takes its lane
            assertThat(beginRead(reader, 0, 100).await().data()).hasSize(100);
            write(writer, 0, 50);
            waits = "commit";
            FakeRequest sync = reader.beginSync(); // of the access time, under the reader's lane
            while (!sync.isAnswered() && waiting.getCount() > 0) {
                Thread.onSpinWait();
            }
            write(writer, TILE, 100);
            goOn.countDown();
            assertThat(sync.await().errno()).isZero();
            assertThat(reader.attributes().size()).isEqualTo(TILE + 100);
        }
    }

    @Test
    void shouldShowTheLatestTimeIfBothWrite() throws Exception {
        try (Nodes nodes = twoNodes()) {
            File first = File.create(nodes.files.get(0));
            write(first, 0, 2 * TILE);
            File second = first.openedBy(nodes.files.get(1));
            assertThat(second.attributes().size()).isEqualTo(2 * TILE);
            write(first, 0, 100);
            long before = WallClock.nowNs();
            write(second, TILE, 100);
            assertThat(first.attributes().mtimeNs()).isGreaterThanOrEqualTo(before);
            assertThat(second.attributes().mtimeNs()).isGreaterThanOrEqualTo(before);
        }
    }

    @Test
    void shouldLetATimeInTheFutureGiveWayToAWriteThatIsNotCommitted() throws Exception {
        try (Nodes nodes = twoNodes()) {
            File first = File.create(nodes.files.get(0));
            write(first, 0, 2 * TILE);
            File second = first.openedBy(nodes.files.get(1));
            long future = WallClock.nowNs() + 3_600_000_000_000L;
            FakeRequest touch = new FakeRequest();
            second.files.setattr(
                    touch, second.ino, new SetAttr(SetAttr.MTIME, FileSystem.NO_HANDLE, 0, 0, 0, 0, 0, future, 0));
            assertThat(touch.await().errno()).isZero();
            assertThat(second.attributes().mtimeNs()).isEqualTo(future);
            write(first, 0, 100);
            assertThat(first.attributes().mtimeNs()).isLessThan(future);
            first.sync();
            assertThat(second.attributes().mtimeNs()).isLessThan(future);
        }
    }

    @Test
    void shouldAskForWhatItBelievedOfAnEmptyFileWhenItWasAlone() throws Exception {
        try (Nodes nodes = twoNodes()) {
            nodes.files.get(0).alone(true);
            File first = File.create(nodes.files.get(0));
            nodes.files.get(0).alone(false);
            File second = first.openedBy(nodes.files.get(1));
            write(second, 0, 3 * 4096);
            second.sync();
            assertThat(beginRead(first, 0, 4096).await().data()).hasSize(4096).containsOnly(1);
            write(first, 4096, 4096);
            first.sync();
            assertThat(beginRead(second, 0, 3 * 4096).await().data())
                    .hasSize(3 * 4096)
                    .containsOnly(1);
        }
    }

    /** Of the kernel's pages it is not known when they change: so they are written in place, wherever this node believes that to be. */
    @Test
    void shouldNotMoveATileThatAnotherNodeHasATokenOf() throws Exception {
        try (Nodes nodes = twoNodes()) {
            File second = File.create(nodes.files.get(1));
            write(second, 0, 4633);
            File first = second.openedBy(nodes.files.get(0));
            FakeRequest seek = new FakeRequest();
            first.files.lseek(seek, first.ino, first.handle, 0, 3); // learns where the bytes are
            assertThat(seek.await().errno()).isZero();
            List<Extent> learned = nodes.owner().layout(first.ino, 0, 1);
            assertThat(beginRead(first, 0, 8192).await().data()).hasSize(4633).containsOnly(1);
            assertThat(nodes.owner().layout(first.ino, 0, 1)).hasSize(1).isEqualTo(learned);
            FakeRequest writeback = new FakeRequest();
            MemorySegment page = arena.allocate(4096).fill((byte) 2);
            first.files.write(writeback, first.ino, first.handle, 0, page, false, true, false, 0);
            assertThat(writeback.await().number()).isEqualTo(4096);
            assertThat(beginRead(second, 0, 4096).await().data()).hasSize(4096).containsOnly(2);
        }
    }

    /** From a kernel that has not heard yet where another node cut the file. */
    @Test
    void shouldNotMakeAFileLongerByWriteback() throws Exception {
        try (Nodes nodes = twoNodes()) {
            File first = File.create(nodes.files.get(0));
            write(first, 0, 3 * 4096);
            File second = first.openedBy(nodes.files.get(1));
            second.truncate(5000);
            assertThat(beginRead(first, 4096, 4096).await().data()).hasSize(904);
            for (long page = 1; page < 3; page++) {
                FakeRequest writeback = new FakeRequest();
                MemorySegment whole = arena.allocate(4096).fill((byte) 2);
                first.files.write(writeback, first.ino, first.handle, page * 4096, whole, false, true, false, 0);
                assertThat(writeback.await().number()).isEqualTo(4096);
            }
            first.sync();
            assertThat(first.attributes().size()).isEqualTo(5000);
            assertThat(second.attributes().size()).isEqualTo(5000);
            second.truncate(3 * 4096);
            byte[] seen = beginRead(second, 4096, 8192).await().data();
            assertThat(Arrays.copyOf(seen, 904)).containsOnly(2);
            assertThat(Arrays.copyOfRange(seen, 904, 8192)).containsOnly(0);
        }
    }

    @Test
    void shouldNotBringTheEndBackThatAnotherNodeCutOffMeanwhile() throws Exception {
        try (Nodes nodes = twoNodes()) {
            File second = File.create(nodes.files.get(1));
            write(second, 0, 100);
            write(second, TILE, 100);
            second.sync();
            File first = second.openedBy(nodes.files.get(0));
            waits = "layout";
            FakeRequest read = beginRead(first, 0, 100);
            waiting.await(); // it was told the size
            second.truncate(TILE);
            assertThat(first.attributes().size()).isEqualTo(TILE);
            goOn.countDown();
            assertThat(read.await().data()).hasSize(100);
            assertThat(first.attributes().size()).isEqualTo(TILE);
            write(first, 0, 100);
            first.sync();
            assertThat(second.attributes().size()).isEqualTo(TILE);
        }
    }
}
