package io.tesserafs.node.data;

import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.token.TokenException;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;

/** The one place where failures below become the errno that an application sees. */
final class Failures {
    private Failures() {}

    static int errno(Exception failure) {
        return switch (failure) {
            case FsException e -> e.errno();
            case BrickException e -> e.reason() == BrickException.Reason.NO_SPACE ? Errno.ENOSPC : Errno.EIO;
            case TokenException e -> e.reason() == TokenException.Reason.INTERRUPTED ? Errno.EINTR : Errno.EIO;
            default -> Errno.EIO;
        };
    }

    /** 0 if the lock is had, or given up as asked. */
    static int errno(LockResult result) {
        return switch (result) {
            case GRANTED -> 0;
            case CONFLICT -> Errno.EAGAIN;
            case DEADLOCK -> Errno.EDEADLK;
            case NO_LOCKS -> Errno.ENOLCK;
            case INTERRUPTED -> Errno.EINTR;
            case LOST, QUEUED -> Errno.EIO;
        };
    }

    static FsException asFs(BrickException failure) {
        return new FsException(errno(failure), failure.getMessage() == null ? "brick failed" : failure.getMessage());
    }
}
