package io.tesserafs.fuse.libc;

/** A system call failed in a way its caller does not tolerate. Carries the call, with its arguments, and errno. */
public final class NativeCallException extends RuntimeException {
    private final int errno;

    public NativeCallException(String call, int errno) {
        super(call + ": " + LibcNative.describe(errno));
        this.errno = errno;
    }

    public int errno() {
        return errno;
    }
}
