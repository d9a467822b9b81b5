package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeService;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What comes in between when new places have been reserved. */
@Timeout(60)
class RelocationTest {
    private static final int O_RDWR = 2;
    private static final BrickId TO = new BrickId(1);

    @TempDir
    Path directory;

    private final AtomicReference<Runnable> afterReserving = new AtomicReference<>(() -> {});
    private final AtomicInteger released = new AtomicInteger();

    private VolumeService watch(VolumeService owner) {
        return (VolumeService) Proxy.newProxyInstance(
                VolumeService.class.getClassLoader(), new Class<?>[] {VolumeService.class}, (self, method, args) -> {
                    if (method.getName().equals("release")) {
                        released.incrementAndGet();
                    }
                    try {
                        Object result = method.invoke(owner, args);
                        if (method.getName().equals("allocateOn")) {
                            afterReserving.getAndSet(() -> {}).run();
                        }
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private Nodes nodes() throws Exception {
        return Nodes.onBricks(directory, 128L << 20, 2, 2, this::watch);
    }

    private static long create(Nodes nodes) {
        FakeRequest rq = new FakeRequest();
        byte[] name = "file".getBytes(StandardCharsets.US_ASCII);
        nodes.files.getFirst().create(rq, VolumeService.ROOT, name, 0644, O_RDWR, false);
        return rq.await().attr().ino();
    }

    /** By that node, durably. */
    private static void write(Nodes nodes, int node, long ino, long offset, int length) {
        TesseraFileSystem files = nodes.files.get(node);
        FakeRequest rq = new FakeRequest();
        files.open(rq, ino, O_RDWR, false);
        long handle = rq.await().number();
        try (Arena arena = Arena.ofShared()) {
            rq = new FakeRequest();
            MemorySegment bytes = arena.allocate(length).fill((byte) 1);
            files.write(rq, ino, handle, offset, bytes, false, false, false, 0);
            assertThat(rq.await().number()).isEqualTo(length);
        }
        rq = new FakeRequest();
        files.fsync(rq, ino, handle, false);
        assertThat(rq.await().errno()).isZero();
    }

    private static List<Extent> layout(Nodes nodes, long ino) throws FsException {
        return nodes.owner().layout(ino, 0, Integer.MAX_VALUE);
    }

    @Test
    void shouldSayThatAnExtentStaysWhichGrewMeanwhile() throws Exception {
        try (Nodes nodes = nodes()) {
            long ino = create(nodes);
            write(nodes, 0, ino, 0, 4096); // the first node's brick is the second
            afterReserving.set(() -> write(nodes, 0, ino, 4096, 4096));
            Relocated first = nodes.files.get(1).relocate(ino, TO, 0, Long.MAX_VALUE);
            assertThat(first).isEqualTo(new Relocated(0, 0, 1, -1));
            assertThat(layout(nodes, ino))
                    .noneMatch(extent -> extent.ref().brick().equals(TO));
            Relocated second = nodes.files.get(1).relocate(ino, TO, 0, Long.MAX_VALUE);
            assertThat(second.extents()).isEqualTo(1);
            assertThat(second.staying()).isZero();
            assertThat(layout(nodes, ino))
                    .singleElement()
                    .satisfies(extent -> assertThat(extent.ref().brick()).isEqualTo(TO));
            assertThat(released).as("what was too small").hasValue(1);
        }
    }

    /** The owner may have given it to somebody else, if it knows nothing of that session. */
    @Test
    void shouldGiveNoSpaceBackAfterTheSessionThatReservedIt() throws Exception {
        try (Nodes nodes = nodes()) {
            long ino = create(nodes);
            write(nodes, 0, ino, 0, 4096);
            afterReserving.set(() -> nodes.files.get(1).sessionLost());
            assertThatThrownBy(() -> nodes.files.get(1).relocate(ino, TO, 0, Long.MAX_VALUE))
                    .isInstanceOfSatisfying(
                            FsException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EIO));
            assertThat(released).hasValue(0);
            assertThat(layout(nodes, ino))
                    .noneMatch(extent -> extent.ref().brick().equals(TO));
        }
    }
}
