package io.tesserafs.fuse.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fuse.MapTool;
import io.tesserafs.fuse.MemoryFileSystem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ordinary file operations through the kernel. */
@Tag("fuse")
class MountedFilesTest {
    private static final int MIB = 1 << 20;

    @TempDir
    Path mnt;

    private FuseMount mount;
    private MemoryFileSystem fs;

    @BeforeEach
    void mount() throws IOException {
        fs = new MemoryFileSystem();
        mount = FuseMount.mount(mnt, fs, MountOptions.defaults("test"));
    }

    @AfterEach
    void unmount() throws IOException {
        mount.close();
    }

    @Test
    void shouldCreateReadRenameAndRemoveFiles() throws IOException {
        Path a = mnt.resolve("a");
        Files.writeString(a, "hello");
        assertThat(Files.readString(a)).isEqualTo("hello");
        Files.writeString(a, " again", StandardOpenOption.APPEND);
        assertThat(Files.size(a)).isEqualTo(11);
        assertThatThrownBy(() -> Files.createFile(a)).isInstanceOf(FileAlreadyExistsException.class);

        Path dir = Files.createDirectory(mnt.resolve("dir"));
        Files.move(a, dir.resolve("b"), StandardCopyOption.ATOMIC_MOVE);
        assertThat(a).doesNotExist();
        assertThat(dir.resolve("b")).hasContent("hello again");
        assertThatThrownBy(() -> Files.delete(dir)).isInstanceOf(DirectoryNotEmptyException.class);
        Files.delete(dir.resolve("b"));
        Files.delete(dir);
        assertThat(mnt).isEmptyDirectory();
    }

    @Test
    void shouldKeepLinksAttributesAndTimes() throws IOException, InterruptedException {
        Path a = Files.writeString(mnt.resolve("a"), "x");
        Files.createLink(mnt.resolve("hard"), a);
        assertThat(Files.getAttribute(a, "unix:nlink")).isEqualTo(2);
        Path link = Files.createSymbolicLink(mnt.resolve("soft"), Path.of("a"));
        assertThat(Files.readSymbolicLink(link)).isEqualTo(Path.of("a"));
        assertThat(link).hasContent("x");

        Files.setPosixFilePermissions(a, PosixFilePermissions.fromString("rwxr-x--x"));
        assertThat(Files.getPosixFilePermissions(a)).isEqualTo(PosixFilePermissions.fromString("rwxr-x--x"));
        for (String when : List.of("2020-02-29T12:34:56.123456789Z", "1950-01-01T00:00:00Z")) {
            FileTime time = FileTime.from(Instant.parse(when));
            Files.setLastModifiedTime(a, time);
            assertThat(Files.getLastModifiedTime(a)).isEqualTo(time);
        }
        long birth =
                Long.parseLong(Processes.run("stat", "-c", "%W", a.toString()).trim());
        assertThat(birth).isGreaterThan(Instant.parse("2024-01-01T00:00:00Z").getEpochSecond());
    }

    @Test
    void shouldKeepExtendedAttributesOfAnySize() throws IOException {
        Path a = Files.writeString(mnt.resolve("a"), "x");
        UserDefinedFileAttributeView view = Files.getFileAttributeView(a, UserDefinedFileAttributeView.class);
        byte[] large = new byte[60_000];
        new Random(1).nextBytes(large);
        view.write("large", ByteBuffer.wrap(large));
        view.write("small", ByteBuffer.wrap(new byte[] {1}));
        assertThat(view.list()).containsExactlyInAnyOrder("large", "small");
        ByteBuffer back = ByteBuffer.allocate(view.size("large"));
        view.read("large", back);
        assertThat(back.array()).isEqualTo(large);
        view.delete("small");
        assertThat(view.list()).containsExactly("large");
    }

    @Test
    void shouldMakeSpecialFiles() throws IOException, InterruptedException {
        Processes.run("mkfifo", mnt.resolve("fifo").toString());
        assertThat(Processes.run("stat", "-c", "%F", mnt.resolve("fifo").toString())
                        .trim())
                .isEqualTo("fifo");
    }

    @Test
    void shouldCarryLargeReadsAndWritesUnchanged() throws IOException {
        byte[] data = new byte[9 * MIB + 4321];
        new Random(2).nextBytes(data);
        Path file = mnt.resolve("large");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            ByteBuffer buffer = ByteBuffer.wrap(data);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        }
        assertThat(mount.stats().writtenBytes()).isEqualTo(data.length);
        assertThat(mount.stats().requestsByOperation().get("write"))
                .as("1 MiB each, but for the first and last")
                .isBetween(10L, 30L);
        mount.session().invalidateInode((Long) Files.getAttribute(file, "unix:ino"), 0, 0);
        assertThat(Files.readAllBytes(file)).isEqualTo(data);
        // Readahead may fetch a page twice when memory is short.
        assertThat(mount.stats().readBytes()).isGreaterThanOrEqualTo(data.length);
    }

    @Test
    void shouldReadAndWriteAroundThePageCache(@TempDir Path other) throws IOException, InterruptedException {
        byte[] data = new byte[3 * MIB];
        new Random(3).nextBytes(data);
        Path source = Files.write(other.resolve("source"), data);
        Path file = mnt.resolve("direct");
        Path back = other.resolve("back");
        Processes.run("dd", "if=" + source, "of=" + file, "bs=1M", "oflag=direct");
        Processes.run("dd", "if=" + file, "of=" + back, "bs=4096", "iflag=direct");
        assertThat(back).hasSameBinaryContentAs(source);
    }

    @Test
    void shouldShowSparseFilesAsZerosAndTruncateBothWays() throws IOException {
        Path file = mnt.resolve("sparse");
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), 3 * MIB);
            assertThat(channel.size()).isEqualTo(3 * MIB + 3);
            channel.truncate(3 * MIB + 1);
            channel.write(ByteBuffer.wrap(new byte[] {9}), 3 * MIB + 2);
            ByteBuffer back = ByteBuffer.allocate(4);
            channel.read(back, 3 * MIB - 1);
            assertThat(back.array()).containsExactly(0, 1, 0, 9);
        }
    }

    @Test
    void shouldListLargeDirectoriesCompletelyAndOnce() throws IOException {
        TreeSet<String> expected = new TreeSet<>();
        for (int i = 0; i < 3000; i++) {
            String name = "entry-with-a-name-of-some-length-" + i;
            Files.createFile(mnt.resolve(name));
            expected.add(name);
        }
        try (Stream<Path> list = Files.list(mnt)) {
            assertThat(list.map(path -> path.getFileName().toString())).containsExactlyInAnyOrderElementsOf(expected);
        }
        assertThat(mount.stats().requestsByOperation()).containsKey("readdirplus");
    }

    @Test
    void shouldWriteThroughSharedMappings() throws IOException, InterruptedException {
        Path file = mnt.resolve("mapped");
        String output = Processes.run(Processes.java(
                        System.getProperty("java.class.path"),
                        MapTool.class,
                        file.toString(),
                        Integer.toString(32 * MIB))
                .toArray(new String[0]));
        assertThat(output).contains("mapped");
        ByteBuffer data = ByteBuffer.wrap(Files.readAllBytes(file));
        assertThat(data.capacity()).isEqualTo(32 * MIB);
        for (int at = 0; at < data.capacity(); at += 4096) {
            assertThat(data.getInt(at)).isEqualTo(at / 4096);
        }
    }

    @Test
    void shouldServeManyThreadsAtOnce() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> futures = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                Path file = mnt.resolve("thread-" + t);
                byte[] data = new byte[300_000];
                new Random(t).nextBytes(data);
                futures.add(threads.submit(() -> {
                    for (int i = 0; i < 20; i++) {
                        Files.write(file, data);
                        assertThat(Files.readAllBytes(file)).isEqualTo(data);
                        Files.delete(file);
                    }
                    return null;
                }));
            }
            for (Future<?> future : futures) {
                future.get();
            }
        }
        assertThat(mnt).isEmptyDirectory();
        assertThat(mount.stats().handlerFailures()).isZero();
        assertThat(mount.stats().malformedRequests()).isZero();
        assertThat(mount.stats().refusedAnswers()).isZero();
    }

    @Test
    void shouldSeeNamesAndUnlinkedFilesAsPosixSays() throws IOException {
        Path file = mnt.resolve("\u00fcn\u00efc\u00f6de with spaces");
        try (FileChannel open =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            Files.delete(file);
            assertThat(Files.exists(file, LinkOption.NOFOLLOW_LINKS)).isFalse();
            open.write(ByteBuffer.wrap("still here".getBytes(StandardCharsets.UTF_8)));
            ByteBuffer back = ByteBuffer.allocate(10);
            open.read(back, 0);
            assertThat(back.array()).isEqualTo("still here".getBytes(StandardCharsets.UTF_8));
        }
    }

    @Test
    void shouldReportSpace() throws IOException {
        assertThat(Files.getFileStore(mnt).getTotalSpace()).isEqualTo(4096L << 20);
        assertThat(Files.getFileStore(mnt).name()).isEqualTo("test");
        assertThat(Files.getFileStore(mnt).type()).isEqualTo("fuse.tesserafs");
    }
}
