package io.tesserafs.fuse.mount;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends a mount whose daemon was killed, where the kernel alone cannot. A thread that invalidates pages waits, unkillable, for the lock of a page; that
 * lock is held by a READ or WRITE, which another thread of the same daemon would answer. Killed at that moment the daemon can never finish
 * dying: its descriptors stay open, the mount stays up, and all its users hang. Only an abort from outside helps.
 *
 * <p>The guard is that outside: a shell that sleeps until told that the mount has ended, or until the thread that started it dies
 * (PR_SET_PDEATHSIG, prctl(2); sent for the very thread, so also when the process as a whole cannot end), or its pipe closes. In the last
 * two cases it aborts the connection. So a thread that lives as long as the mount starts it and waits for it. Thread-safe.
 */
final class MountGuard implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MountGuard.class);
    private static final String SCRIPT = """
            end() { if [ -w "$0" ]; then echo 1 > "$0"; fi; exit 0; }
            trap end TERM
            trap '' HUP INT
            if read -r word; then exit 0; fi
            end
            """;
    private static final byte[] ENDED = "ended\n".getBytes(StandardCharsets.US_ASCII);

    private final Process process;

    private MountGuard(Process process) {
        this.process = process;
    }

    /** Watches over the mount behind {@code abortFile} of the FUSE control filesystem. */
    static MountGuard start(Path abortFile) throws IOException {
        if (!Files.isWritable(abortFile)) {
            throw new IOException(abortFile + " cannot be written");
        }
        CompletableFuture<Process> started = new CompletableFuture<>();
        Thread.ofPlatform().name("fuse-guard").daemon(true).start(() -> run(abortFile, started));
        try {
            return new MountGuard(started.join());
        } catch (CompletionException e) {
            throw new IOException("cannot start setpriv and sh: " + e.getCause(), e);
        }
    }

    private static void run(Path abortFile, CompletableFuture<Process> started) {
        Process guard;
        try {
            guard = new ProcessBuilder("setpriv", "--pdeathsig", "TERM", "sh", "-c", SCRIPT, abortFile.toString())
                    .directory(Path.of("/").toFile())
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException | RuntimeException e) {
            started.completeExceptionally(e);
            return;
        }
        started.complete(guard);
        boolean interrupted = false;
        while (true) {
            try {
                int status = guard.waitFor();
                LOG.debug("the guard of {} ended with {}", abortFile, status);
                break;
            } catch (InterruptedException e) {
                interrupted = true; // this thread has to outlive the mount, whatever happens
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** The process, to be killed by tests. */
    Process process() {
        return process;
    }

    /** The mount has ended: its connection's number may belong to another mount soon. */
    @Override
    public void close() {
        try (OutputStream pipe = process.getOutputStream()) {
            pipe.write(ENDED);
        } catch (IOException e) {
            LOG.debug("the guard is gone already", e);
        }
    }
}
