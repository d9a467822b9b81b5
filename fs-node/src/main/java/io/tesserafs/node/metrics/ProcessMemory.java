package io.tesserafs.node.metrics;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** This process as the kernel counts it. */
public final class ProcessMemory {
    private static final long BYTES_PER_KIB = 1024;

    private ProcessMemory() {}

    /** Anonymous and private memory: VmRSS without the pool's pages, which are page cache that others could use. -1 if unknown. */
    public static long residentBytes() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("RssAnon:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * BYTES_PER_KIB)
                    .findFirst()
                    .orElse(-1);
        } catch (IOException e) {
            return -1; // No /proc: a number that is not known is no reason to fail.
        }
    }

    /** Open file descriptors; -1 if unknown. */
    public static long openFiles() {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.count();
        } catch (IOException e) {
            return -1; // As above.
        }
    }
}
