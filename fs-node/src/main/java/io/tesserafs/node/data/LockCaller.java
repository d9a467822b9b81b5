package io.tesserafs.node.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Tells open file description locks from POSIX locks, which the FUSE protocol does not: a thread that waits in fcntl(2) shows its arguments in
 * {@code /proc/PID/syscall}. Only asked before EDEADLK is answered, which open file description locks never get: any thread may unlock them, so a circle of
 * them need not be one of threads that wait.
 */
final class LockCaller {
    /** As {@code /proc/PID/syscall} prints F_OFD_SETLKW (38), in the second argument. */
    private static final String OFD_SETLKW = "0x26";
    /** System call, descriptor, command. */
    private static final int COMMAND_WORD = 2;
    /** The thread may not have gone to sleep yet, and shows as running until then. */
    private static final int TRIES = 100;

    private LockCaller() {}

    /** False if it cannot be told: the thread is not in our pid namespace, or is gone. */
    static boolean isDescriptionLock(int threadId) {
        if (threadId <= 0) {
            return false;
        }
        Path file = Path.of("/proc", Integer.toString(threadId), "syscall");
        try {
            for (int i = 0; i < TRIES; i++) {
                String shown = Files.readString(file, StandardCharsets.US_ASCII);
                if (!shown.startsWith("running")) {
                    return isDescriptionLock(shown);
                }
                Thread.onSpinWait();
            }
            return false;
        } catch (IOException e) {
            return false; // ended meanwhile, or not ours to look at
        }
    }

    static boolean isDescriptionLock(String shown) {
        String[] words = shown.split(" ", COMMAND_WORD + 2);
        return words.length > COMMAND_WORD && words[COMMAND_WORD].equals(OFD_SETLKW);
    }
}
