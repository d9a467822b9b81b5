package io.tesserafs.fuse.protocol;

/** Files of the mount that is being served, opened past their names. Results below zero are errno, negated. Thread-safe. */
public interface InodeFiles {
    /**
     * Opens a regular file for reading; who serves the mount is asked to open the root directory and this file, by the calling thread. ESTALE if
     * the kernel does not know the inode.
     */
    int open(long ino);

    /** pread(2), whose bytes are thrown away. Waits in the kernel: ordinary threads only. */
    long read(int fd, long offset, int bytes);

    void close(int fd);

    /** Of the calling thread, as requests name it. */
    int threadId();
}
