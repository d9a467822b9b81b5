package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;

/** A tile's handle does not work any more: its block has moved, or its brick is gone or came back. To be tried again with a new one. */
final class DeadTileException extends FsException {
    private static final long serialVersionUID = 1L;

    private final long tile;

    DeadTileException(Tile tile, String message) {
        this(tile.index, message);
    }

    DeadTileException(long tile, String message) {
        super(Errno.EIO, message);
        this.tile = tile;
    }

    static FsException of(Tile tile, BrickException failure) {
        return of(tile.index, failure);
    }

    static FsException of(long tile, BrickException failure) {
        return switch (failure.reason()) {
            case DEAD_HANDLE, UNREACHABLE, NOT_FOUND ->
                new DeadTileException(tile, String.valueOf(failure.getMessage()));
            default -> Failures.asFs(failure);
        };
    }

    /** Its index in the file. */
    long tile() {
        return tile;
    }
}
