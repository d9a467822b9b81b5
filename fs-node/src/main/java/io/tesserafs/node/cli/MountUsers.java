package io.tesserafs.node.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Finds the processes that keep a mount busy: working directory, root, program, open files, mappings.
 *
 * <p>The mount may be hung, so nothing here may touch a file on it: links in /proc are read, never followed. Reading
 * /proc/PID/maps can wait for a process that is itself stuck in a page fault on the mount; so the scan runs on a thread of its own
 * and what it has found by the deadline is the answer.
 */
final class MountUsers {
    /** Enough to act on; a busy machine may have thousands. */
    private static final int MAX_USERS = 50;

    private static final long DEADLINE_MS = 3000;

    /** A process and what it holds. {@code uses}: one of "working directory", "root", "program", "open file", "mapping", and the path. */
    record User(long pid, String command, String uses) {}

    private final Path proc;
    private final Path point;
    private final Queue<User> found = new ConcurrentLinkedQueue<>();

    private MountUsers(Path proc, Path point) {
        this.proc = proc;
        this.point = point;
    }

    static List<User> of(Path point) {
        return of(Path.of("/proc"), point);
    }

    static List<User> of(Path proc, Path point) {
        MountUsers scan = new MountUsers(proc, point);
        Thread thread = Thread.ofPlatform().daemon().name("mount-users").start(scan::run);
        try {
            thread.join(DEADLINE_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return List.copyOf(scan.found);
    }

    private void run() {
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(proc, "[0-9]*")) {
            for (Path process : processes) {
                use(process)
                        .ifPresent(uses -> found.add(
                                new User(Long.parseLong(process.getFileName().toString()), command(process), uses)));
                if (found.size() >= MAX_USERS) {
                    return;
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + proc, e);
        }
    }

    private Optional<String> use(Path process) {
        return link(process.resolve("cwd"))
                .map(path -> "working directory " + path)
                .or(() -> link(process.resolve("root")).map(path -> "root " + path))
                .or(() -> link(process.resolve("exe")).map(path -> "program " + path))
                .or(() -> openFile(process.resolve("fd")).map(path -> "open file " + path))
                .or(() -> mapping(process.resolve("maps")).map(path -> "mapping of " + path));
    }

    private Optional<String> openFile(Path directory) {
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(directory)) {
            for (Path descriptor : descriptors) {
                Optional<String> path = link(descriptor);
                if (path.isPresent()) {
                    return path;
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return Optional.empty(); // Another user's process, or one that has just ended.
        }
        return Optional.empty();
    }

    private Optional<String> mapping(Path maps) {
        try (var lines = Files.lines(maps, StandardCharsets.ISO_8859_1)) {
            String wanted = new String(point.toString().getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
            return lines.map(line -> line.indexOf('/') < 0 ? "" : line.substring(line.indexOf('/')))
                    .filter(path -> path.startsWith(wanted + "/"))
                    .map(path -> new String(path.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8))
                    .findFirst();
        } catch (IOException | UncheckedIOException e) {
            return Optional.empty(); // As above.
        }
    }

    private Optional<String> link(Path link) {
        try {
            Path target = Files.readSymbolicLink(link);
            return target.startsWith(point) ? Optional.of(target.toString()) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty(); // As above.
        }
    }

    private static String command(Path process) {
        try {
            String arguments = Files.readString(process.resolve("cmdline"), StandardCharsets.UTF_8)
                    .replace('\0', ' ')
                    .strip();
            String text = arguments.isEmpty()
                    ? Files.readString(process.resolve("comm"), StandardCharsets.UTF_8)
                            .strip()
                    : arguments;
            return text.length() <= 80 ? text : text.substring(0, 77) + "...";
        } catch (IOException e) {
            return "?"; // It has just ended, or its command line is not UTF-8.
        }
    }

    /** One line per process, indented, for messages. */
    static String describe(List<User> users) {
        List<String> lines = new ArrayList<>();
        for (User user : users) {
            lines.add("  pid " + user.pid() + " (" + user.command() + "): " + user.uses());
        }
        return String.join("\n", lines);
    }
}
