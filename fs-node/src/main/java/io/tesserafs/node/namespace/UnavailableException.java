package io.tesserafs.node.namespace;

import io.tesserafs.fuse.Errno;

/** The volume's owner cannot be asked just now, or cannot do it yet. Nothing is lost by it: who keeps what it wanted to say may try again. */
public final class UnavailableException extends FsException {
    private static final long serialVersionUID = 1L;

    public UnavailableException(String message) {
        super(Errno.EIO, message);
    }
}
