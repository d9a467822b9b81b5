package io.tesserafs.coherence.membership;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.OptionalLong;

/**
 * One life of a node: which state directory, which process. Two incarnations with the same {@code identity} run on the same state
 * directory (the identity is a digest of a secret kept there).
 *
 * @param identity digest of the state directory's secret
 * @param host machine id
 * @param bootId of the kernel
 * @param pid of the daemon
 * @param startTicks when the process started, in clock ticks since boot: tells it from a later one with the same pid
 */
public record Incarnation(String identity, String host, String bootId, long pid, long startTicks) {
    private static final Path PROC = Path.of("/proc");
    private static final Path HOST_NAME = Path.of("/proc/sys/kernel/hostname");

    /** This process, running on the state directory that holds {@code secret}. */
    public static Incarnation current(byte[] secret) throws IOException {
        long pid = ProcessHandle.current().pid();
        String bootId =
                Files.readString(PROC.resolve("sys/kernel/random/boot_id")).strip();
        return new Incarnation(
                digest(secret), machineId(), bootId, pid, startTicks(pid).orElseThrow());
    }

    /** Whether this incarnation's process is alive, as far as this machine can tell: true if it runs on another one. */
    public boolean mayBeAlive(Incarnation here) {
        if (!host.equals(here.host)) {
            return true;
        }
        if (!bootId.equals(here.bootId)) {
            return false;
        }
        OptionalLong ticks = startTicks(pid);
        return ticks.isPresent() && ticks.getAsLong() == startTicks;
    }

    private static String digest(byte[] secret) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(secret);
            return HexFormat.of().formatHex(digest, 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** The host's name if it has no other; asks no name service, which need not know it. */
    private static String machineId() throws IOException {
        Path file = Path.of("/etc/machine-id");
        if (Files.isReadable(file)) {
            String id = Files.readString(file).strip();
            if (!id.isEmpty()) {
                return id;
            }
        }
        return Files.readString(HOST_NAME).strip();
    }

    /** Field 22 of /proc/PID/stat (proc(5)); empty if there is no such process, or it is a zombie. */
    private static OptionalLong startTicks(long pid) {
        try {
            String stat = Files.readString(PROC.resolve(pid + "/stat"), StandardCharsets.ISO_8859_1);
            // The command name in parentheses may itself hold spaces and parentheses; fields count from the last one.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
            boolean dead = fields[0].equals("Z") || fields[0].equals("X");
            return dead ? OptionalLong.empty() : OptionalLong.of(Long.parseLong(fields[19]));
        } catch (IOException gone) {
            return OptionalLong.empty();
        }
    }
}
