package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeChecker;
import io.tesserafs.node.namespace.VolumeService;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Files against plain arrays: whichever node writes, whichever reads, with all that can happen to a file in between, and with crashes. */
class DataModelTest {
    private static final int FILES = 3;
    private static final int STEPS = 400;
    /** Some tiles, so that most operations cross an edge now and then. */
    private static final int MOST = 5 << 20;

    private static final int O_RDWR = 2;
    private static final int O_APPEND = 0x400;
    private static final int O_DIRECT = 0x4000;
    private static final int KEEP_SIZE = 1;
    private static final int PUNCH = 2;
    private static final int ZERO = 0x10;
    private static final int SEEK_DATA = 3;

    /** A file as it should be. */
    private static final class Model {
        long ino;
        byte[] bytes = new byte[0];
        /** As of the last fsync; null if it was changed since. */
        byte[] safe = new byte[0];

        void resize(int size) {
            bytes = Arrays.copyOf(bytes, size);
        }

        void atLeast(int size) {
            if (bytes.length < size) {
                resize(size);
            }
        }
    }

    /** Numbers of nodes, and seeds; more of them with -Dtessera.model.runs. */
    static Stream<Arguments> runs() {
        return IntStream.range(0, Integer.getInteger("tessera.model.runs", 12))
                .mapToObj(run -> Arguments.of(1 + run % 3, 100L + run));
    }

    private Nodes nodes;
    private final Model[] models = new Model[FILES];
    private long[][] handles;
    private Random random;
    private int relocations;

    @TempDir
    Path directory;

    @ParameterizedTest(name = "{0} nodes, seed {1}")
    @MethodSource("runs")
    void shouldShowEveryNodeWhatWasWrittenLast(int count, long seed) throws Exception {
        random = new Random(seed);
        try (Arena arena = Arena.ofShared();
                Nodes opened = Nodes.onBricks(directory, 256L << 20, 1 + (int) (seed % 2), count)) {
            nodes = opened;
            for (int file = 0; file < FILES; file++) {
                FakeRequest rq = new FakeRequest();
                byte[] name = ("f" + file).getBytes(StandardCharsets.US_ASCII);
                nodes.files.getFirst().create(rq, VolumeService.ROOT, name, 0644, O_RDWR, false);
                models[file] = new Model();
                models[file].ino = rq.await().attr().ino();
            }
            openAll(count);
            for (int step = 0; step < STEPS; step++) {
                step(arena, random.nextInt(count), random.nextInt(FILES), "seed " + seed + ", step " + step);
                if (random.nextInt(STEPS / 3) == 0) {
                    nodes.crashAndRecover();
                    openAll(count);
                    afterCrash("seed " + seed + ", crash after step " + step);
                }
            }
            for (int node = 0; node < count; node++) {
                for (int file = 0; file < FILES; file++) {
                    checkAll(node, file, "seed " + seed + ", end");
                    fsync(node, file);
                }
            }
            assertThat(VolumeChecker.checkOnline(nodes.owner()).problems()).isEmpty();
            if (nodes.bricks() > 1) {
                assertThat(relocations).isGreaterThan(5);
            }
        }
    }

    private void openAll(int count) {
        handles = new long[count][FILES];
        for (int node = 0; node < count; node++) {
            for (int file = 0; file < FILES; file++) {
                FakeRequest rq = new FakeRequest();
                nodes.files.get(node).open(rq, models[file].ino, O_RDWR, false);
                FakeRequest.Answer answer = rq.await();
                assertThat(answer.errno()).isZero();
                handles[node][file] = answer.number();
            }
        }
    }

    private void step(Arena arena, int node, int file, String where) throws FsException {
        Model model = models[file];
        TesseraFileSystem files = nodes.files.get(node);
        int offset = random.nextInt(8) == 0 ? random.nextInt(MOST) : random.nextInt(64 << 10);
        int length = 1 + (random.nextInt(6) == 0 ? random.nextInt(1 << 20) : random.nextInt(9000));
        int kind = random.nextInt(22);
        FakeRequest rq = new FakeRequest();
        if (kind < 7) {
            write(arena, files, rq, node, file, offset, length, 0);
            model.atLeast(offset + length);
            model.safe = null;
        } else if (kind == 7) {
            write(arena, files, rq, node, file, random.nextInt(MOST), length, O_APPEND);
            model.safe = null;
        } else if (kind < 12) {
            check(node, file, offset, length, where);
        } else if (kind == 12) {
            int size = random.nextInt(3) == 0 ? 0 : random.nextInt(random.nextBoolean() ? MOST : 20_000);
            SetAttr change = new SetAttr(SetAttr.SIZE, FileSystem.NO_HANDLE, 0, 0, 0, size, 0, 0, 0);
            files.setattr(rq, model.ino, change);
            assertThat(rq.await().errno()).as(where).isZero();
            model.resize(size);
            model.safe = null;
        } else if (kind < 15) {
            allocate(files, rq, node, file, offset, length, where);
        } else if (kind == 15) {
            copy(files, rq, node, file, offset, length, where);
        } else if (kind == 16) {
            seek(files, rq, node, file, where);
        } else if (kind == 17) {
            files.getattr(rq, model.ino, FileSystem.NO_HANDLE);
            assertThat(rq.await().attr().size()).as(where).isEqualTo(model.bytes.length);
        } else if (kind == 18) {
            for (int each = 0; each < nodes.files.size(); each++) {
                fsync(each, file); // of what the node wrote, and what it saw of others
            }
            model.safe = model.bytes.clone();
        } else if (kind < 21) {
            relocate(files, file, where);
        } else {
            files.flush(rq, model.ino, handles[node][file], 7);
            assertThat(rq.await().errno()).as(where).isZero();
        }
    }

    private void write(
            Arena arena,
            TesseraFileSystem files,
            FakeRequest rq,
            int node,
            int file,
            int offset,
            int length,
            int flags) {
        byte[] content = new byte[length];
        random.nextBytes(content);
        MemorySegment payload = arena.allocate(length);
        MemorySegment.copy(content, 0, payload, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, length);
        Model model = models[file];
        files.write(rq, model.ino, handles[node][file], offset, payload, (flags & O_DIRECT) != 0, false, false, flags);
        assertThat(rq.await().number()).isEqualTo(length);
        int at = flags == O_APPEND ? model.bytes.length : offset;
        model.atLeast(at + length);
        System.arraycopy(content, 0, model.bytes, at, length);
    }

    private void allocate(
            TesseraFileSystem files, FakeRequest rq, int node, int file, int offset, int length, String where) {
        int mode = new int[] {0, KEEP_SIZE, PUNCH | KEEP_SIZE, ZERO, ZERO | KEEP_SIZE}[random.nextInt(5)];
        Model model = models[file];
        files.fallocate(rq, model.ino, handles[node][file], offset, length, mode);
        assertThat(rq.await().errno()).as(where).isZero();
        if ((mode & KEEP_SIZE) == 0) {
            model.atLeast(offset + length);
        }
        if ((mode & (PUNCH | ZERO)) != 0 && offset < model.bytes.length) {
            Arrays.fill(model.bytes, offset, Math.min(model.bytes.length, offset + length), (byte) 0);
        }
        model.safe = null;
    }

    private void copy(
            TesseraFileSystem files, FakeRequest rq, int node, int file, int offset, int length, String where) {
        int target = (file + 1) % FILES;
        int to = random.nextInt(64 << 10);
        files.copyFileRange(
                rq,
                models[file].ino,
                handles[node][file],
                offset,
                models[target].ino,
                handles[node][target],
                to,
                length);
        FakeRequest.Answer answer = rq.await();
        assertThat(answer.errno()).as(where).isZero();
        int n = (int) answer.number();
        assertThat(n).as(where).isEqualTo(Math.max(0, Math.min(length, models[file].bytes.length - offset)));
        if (n > 0) {
            models[target].atLeast(to + n);
            System.arraycopy(models[file].bytes, offset, models[target].bytes, to, n);
            models[target].safe = null;
        }
    }

    private void relocate(TesseraFileSystem files, int file, String where) throws FsException {
        BrickId to = new BrickId(1 + random.nextInt(nodes.bricks()));
        long ino = models[file].ino;
        Relocated relocated = files.relocate(ino, to, 0, Long.MAX_VALUE);
        assertThat(relocated.next()).as(where).isEqualTo(-1);
        assertThat(nodes.owner().layout(ino, 0, Integer.MAX_VALUE))
                .as(where)
                .allMatch(extent -> extent.ref().brick().equals(to));
        relocations += relocated.extents() > 0 ? 1 : 0;
    }

    /** Between the start of the file and the first data everything must be zero. */
    private void seek(TesseraFileSystem files, FakeRequest rq, int node, int file, String where) {
        Model model = models[file];
        files.lseek(rq, model.ino, handles[node][file], 0, SEEK_DATA);
        FakeRequest.Answer answer = rq.await();
        int data = answer.errno() == Errno.ENXIO ? model.bytes.length : (int) answer.number();
        for (int i = 0; i < data; i++) {
            assertThat(model.bytes[i]).as(where).isZero();
        }
    }

    private void check(int node, int file, int offset, int length, String where) {
        FakeRequest rq = new FakeRequest();
        nodes.files.get(node).read(rq, models[file].ino, handles[node][file], offset, length, true);
        byte[] bytes = models[file].bytes;
        byte[] expected = offset >= bytes.length
                ? new byte[0]
                : Arrays.copyOfRange(bytes, offset, Math.min(bytes.length, offset + length));
        byte[] seen = rq.await().data();
        assertThat(Arrays.mismatch(seen, expected))
                .as(
                        "%s: node %d, file %d, read of %d at %d gave %d bytes of %d, first wrong byte",
                        where, node, file, length, offset, seen.length, expected.length)
                .isEqualTo(-1);
    }

    private void checkAll(int node, int file, String where) {
        for (int at = 0; at <= models[file].bytes.length; at += 1 << 20) {
            check(node, file, at, 1 << 20, where);
        }
    }

    private void fsync(int node, int file) {
        FakeRequest rq = new FakeRequest();
        nodes.files.get(node).fsync(rq, models[file].ino, handles[node][file], false);
        assertThat(rq.await().errno()).isZero();
    }

    /** What was synced is there; of the rest, whatever is there now is what later steps build on. */
    private void afterCrash(String where) {
        for (int file = 0; file < FILES; file++) {
            Model model = models[file];
            if (model.safe != null) {
                model.bytes = model.safe.clone();
                checkAll(0, file, where);
            }
            FakeRequest attr = new FakeRequest();
            nodes.files.getFirst().getattr(attr, model.ino, FileSystem.NO_HANDLE);
            byte[] now = new byte[(int) attr.await().attr().size()];
            for (int at = 0; at < now.length; at += 1 << 20) {
                FakeRequest rq = new FakeRequest();
                int length = Math.min(1 << 20, now.length - at);
                nodes.files.getFirst().read(rq, model.ino, handles[0][file], at, length, true);
                System.arraycopy(rq.await().data(), 0, now, at, length);
            }
            model.bytes = now;
            model.safe = null;
        }
    }
}
