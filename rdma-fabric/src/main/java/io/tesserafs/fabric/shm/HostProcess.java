package io.tesserafs.fabric.shm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;

/**
 * One process of one running kernel, such that another process can tell whether it is dead.
 *
 * @param boot the kernel's boot id
 * @param pidNamespace inode of the namespace that the number belongs to: only inside the same one does it mean anything
 * @param startTicks when it started, so that a later process of the same number is not taken for it
 */
public record HostProcess(UUID boot, long pidNamespace, long pid, long startTicks) {
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

    /** After the name in parentheses, which may itself contain both: state is the first field, start time the twentieth. */
    private static final int STATE = 0;

    private static final int START_TIME = 19;

    /** States in which a process has no memory any more. */
    private static final List<String> WITHOUT_MEMORY = List.of("Z", "X", "x");

    public static HostProcess current() throws IOException {
        return of(ProcessHandle.current().pid());
    }

    /** Another process that this one sees. */
    public static HostProcess of(long pid) throws IOException {
        return new HostProcess(
                currentBoot(),
                currentNamespace(),
                pid,
                Long.parseLong(status(pid).get(START_TIME)));
    }

    /** Whether this process could see it die. */
    public boolean isObservable() throws IOException {
        return boot.equals(currentBoot()) && pidNamespace == currentNamespace() && isAlive();
    }

    /** Whether it may still touch memory that it has mapped. */
    public boolean isAlive() throws IOException {
        try {
            List<String> status = status(pid);
            return status.get(START_TIME).equals(Long.toString(startTicks))
                    && !WITHOUT_MEMORY.contains(status.get(STATE));
        } catch (NoSuchFileException e) {
            return false;
        } catch (IOException e) {
            if (!Files.exists(procOf(pid))) {
                return false; // it went away while being read (ESRCH)
            }
            throw e;
        }
    }

    private static List<String> status(long pid) throws IOException {
        String line = Files.readString(procOf(pid).resolve("stat"));
        List<String> fields =
                List.of(line.substring(line.lastIndexOf(')') + 1).strip().split(" "));
        if (fields.size() <= START_TIME) {
            throw new IOException("unexpected content of /proc/" + pid + "/stat: " + line);
        }
        return fields;
    }

    private static Path procOf(long pid) {
        return Path.of("/proc", Long.toString(pid));
    }

    private static UUID currentBoot() throws IOException {
        return UUID.fromString(Files.readString(BOOT_ID).strip());
    }

    private static long currentNamespace() throws IOException {
        return (Long) Files.getAttribute(Path.of("/proc/self/ns/pid"), "unix:ino");
    }

    @Override
    public String toString() {
        return "process " + pid;
    }
}
