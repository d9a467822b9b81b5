package io.tesserafs.node.data;

import org.jspecify.annotations.Nullable;

/** What one open(2) or opendir(2) made; {@code file} is null for a directory. */
final class OpenFile {
    final long ino;
    final @Nullable FileState file;
    final boolean writable;
    final boolean noAtime;
    /** The kernel does not use its page cache for this handle. */
    final boolean direct;
    /** Failures of the file that this handle has reported, or that happened before it was opened. */
    int failuresSeen;

    OpenFile(long ino, @Nullable FileState file, boolean writable, boolean noAtime, boolean direct) {
        this.ino = ino;
        this.file = file;
        this.writable = writable;
        this.noAtime = noAtime;
        this.direct = direct;
        this.failuresSeen = file == null ? 0 : file.failures;
    }
}
