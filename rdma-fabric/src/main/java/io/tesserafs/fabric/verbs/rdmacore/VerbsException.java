package io.tesserafs.fabric.verbs.rdmacore;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A call to libibverbs, librdmacm or the kernel behind them failed. What usually is behind a lack of memory, the message says. */
public final class VerbsException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    VerbsException(String call, int errno) {
        super(call + ": " + Errors.describe(errno) + " (errno " + errno + ")" + advice(errno));
        this.errno = errno;
    }

    /** The kernel says no more than this where a limit of locked memory would be exceeded. */
    private static String advice(int errno) {
        return errno == Errors.ENOMEM
                ? "; mostly the daemon's limit of locked memory: LimitMEMLOCK=infinity for systemd, else ulimit -l"
                : "";
    }

    /** Whether a failure comes of a lack of memory, which a limit of locked memory is too; then its message says what to do. */
    public static boolean isOutOfMemory(Throwable failure) {
        for (@Nullable Throwable one = failure; one != null; one = one.getCause()) {
            if (one instanceof VerbsException e && e.errno == Errors.ENOMEM) {
                return true;
            }
        }
        return false;
    }

    public int errno() {
        return errno;
    }
}
