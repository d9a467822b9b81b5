package io.tesserafs.node.host;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The files by which the kernel describes this host (/proc, /sys, /dev), below a root directory: tests give one of their own. Paths are
 * written as on the host. What is missing or cannot be read is empty, since most of these files are there on some hosts only.
 */
public record Host(Path root) {
    /** This one. */
    public static Host here() {
        return new Host(Path.of("/"));
    }

    public Path path(String absolute) {
        return root.resolve(absolute.substring(1));
    }

    /** All of a file, without white space at its ends. */
    public Optional<String> text(String path) {
        try {
            return Optional.of(
                    Files.readString(path(path), StandardCharsets.ISO_8859_1).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Names in a directory, sorted. */
    public List<String> names(String directory) {
        try (Stream<Path> entries = Files.list(path(directory))) {
            return entries.map(entry -> String.valueOf(entry.getFileName()))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    public boolean has(String path) {
        return Files.exists(path(path), LinkOption.NOFOLLOW_LINKS);
    }

    /** The last name in what a symbolic link says: how sysfs names a driver. */
    public Optional<String> linkName(String path) {
        try {
            Path target = Files.readSymbolicLink(path(path));
            return Optional.ofNullable(target.getFileName()).map(Path::toString);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The value of a line {@code key: value}, as in /proc/meminfo and /proc/PID/status. */
    public Optional<String> value(String path, String key) {
        return text(path).stream()
                .flatMap(String::lines)
                .filter(line -> line.startsWith(key + ":"))
                .map(line -> line.substring(key.length() + 1).strip())
                .findFirst();
    }

    public MountTable mounts() {
        return MountTable.parse(text("/proc/self/mountinfo").orElse(""));
    }

    /** Whether this process acts as root. */
    public boolean isRoot() {
        return value("/proc/self/status", "Uid")
                .map(ids -> ids.split("\\s+", -1))
                .filter(ids -> ids.length > 1)
                .map(ids -> ids[1].equals("0"))
                .orElse(false);
    }
}
