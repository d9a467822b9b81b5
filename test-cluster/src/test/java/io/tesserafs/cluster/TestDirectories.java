package io.tesserafs.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;

/** Where tests keep their things. {@code ./check} names two directories, which it cleans; without it there are defaults. */
final class TestDirectories {
    /** A cluster's pool of a few GiB must fit with room to spare before it goes to memory. */
    private static final long MEMORY_NEEDED_BYTES = 12L << 30;

    private TestDirectories() {}

    /** The root of the source tree, where {@code ./tessera} is. */
    static Path root() {
        return Path.of(System.getProperty("tessera.root", ".."))
                .toAbsolutePath()
                .normalize();
    }

    /** A new directory on disk. */
    static Path onDisk(String name) {
        return create(System.getProperty("tessera.test.dir", System.getProperty("java.io.tmpdir")), name);
    }

    /** A new directory in memory (tmpfs), or on disk where memory is short. */
    static Path inMemory(String name) {
        Path shm = Path.of("/dev/shm");
        try {
            boolean roomy = Files.isDirectory(shm)
                    && Math.min(Files.getFileStore(shm).getUsableSpace(), availableMemoryBytes())
                            >= MEMORY_NEEDED_BYTES;
            return roomy ? create(System.getProperty("tessera.test.memory", "/dev/shm"), name) : onDisk(name);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long availableMemoryBytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
            if (line.startsWith("MemAvailable:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        return 0;
    }

    private static Path create(String parent, String name) {
        try {
            return Files.createTempDirectory(Path.of(parent), "tessera-" + name + ".");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Deletes a tree that holds no mount. */
    static void delete(Path tree) throws IOException {
        Files.walkFileTree(tree, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path dir, IOException failure) throws IOException {
                Files.delete(dir);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
