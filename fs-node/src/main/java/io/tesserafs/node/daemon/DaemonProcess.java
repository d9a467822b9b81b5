package io.tesserafs.node.daemon;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One daemon process, named so that a reused pid is never mistaken for it: the pid, and when that process started (clock ticks
 * since boot, field 22 of /proc/PID/stat). In its pid file as {@code PID START BOOT-ID}.
 */
public record DaemonProcess(long pid, long startTicks) {
    /** Appears in the command line of every daemon. */
    static final String MAIN_CLASS = "io.tesserafs.node.cli.Main";

    private static final Pattern PID_FILE = Pattern.compile("(\\d{1,10}) (\\d{1,19}) ([0-9a-f-]{36})\\s*");

    /** Position of starttime counted from the field after the command name, which itself may hold spaces and parentheses. */
    private static final int START_TIME_AFTER_NAME = 19;

    /** This process. */
    static DaemonProcess current() throws IOException {
        long pid = ProcessHandle.current().pid();
        return new DaemonProcess(pid, startTicks(Path.of("/proc"), pid));
    }

    /** The daemon that wrote the pid file, if it still runs. */
    public static Optional<DaemonProcess> find(Path pidFile) throws IOException {
        return find(pidFile, Path.of("/proc"));
    }

    static Optional<DaemonProcess> find(Path pidFile, Path proc) throws IOException {
        String text;
        try {
            text = Files.readString(pidFile);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        Matcher matcher = PID_FILE.matcher(text);
        if (!matcher.matches() || !matcher.group(3).equals(bootId(proc))) {
            return Optional.empty();
        }
        DaemonProcess named = new DaemonProcess(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)));
        return named.runs(proc) ? Optional.of(named) : Optional.empty();
    }

    /** Whether this very process still runs (a zombie does not). */
    public boolean runs() {
        return runs(Path.of("/proc"));
    }

    private boolean runs(Path proc) {
        try {
            if (startTicks(proc, pid) != startTicks) {
                return false;
            }
            String commandLine =
                    Files.readString(proc.resolve(Long.toString(pid)).resolve("cmdline"), StandardCharsets.ISO_8859_1);
            return commandLine.contains(MAIN_CLASS);
        } catch (IOException e) {
            // No such process, or it ended while we read: either way it does not run.
            return false;
        }
    }

    /** Sends SIGTERM, or SIGKILL if {@code force}; only if it is still the same process. */
    public void end(boolean force) {
        if (!runs()) {
            return;
        }
        ProcessHandle.of(pid).ifPresent(handle -> {
            boolean sent = force ? handle.destroyForcibly() : handle.destroy();
            if (!sent && runs()) {
                throw new IllegalStateException("the daemon (pid " + pid + ") cannot be signalled by this user");
            }
        });
    }

    /** Replaces the pid file at once, so that no reader sees half of it. */
    void write(Path pidFile) throws IOException {
        Path fresh = pidFile.resolveSibling(pidFile.getFileName() + ".new");
        Files.writeString(fresh, pid + " " + startTicks + " " + bootId(Path.of("/proc")) + "\n");
        Files.move(fresh, pidFile, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static String bootId(Path proc) throws IOException {
        return Files.readString(proc.resolve("sys/kernel/random/boot_id")).strip();
    }

    static long startTicks(Path proc, long pid) throws IOException {
        String stat = Files.readString(proc.resolve(Long.toString(pid)).resolve("stat"), StandardCharsets.ISO_8859_1);
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", START_TIME_AFTER_NAME + 2);
        if (fields.length <= START_TIME_AFTER_NAME) {
            throw new IOException("/proc/" + pid + "/stat is not understood");
        }
        if (fields[0].equals("Z") || fields[0].equals("X")) {
            throw new NoSuchFileException("process " + pid + " has ended");
        }
        return Long.parseLong(fields[START_TIME_AFTER_NAME]);
    }
}
