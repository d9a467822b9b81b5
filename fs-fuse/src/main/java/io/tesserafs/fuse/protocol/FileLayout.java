package io.tesserafs.fuse.protocol;

/**
 * Requests on open files and directories, and their answers.
 *
 * <pre>
 * open_in:     0 flags | 4 open_flags (u32)
 * open_out:    0 fh u64 | 8 open_flags u32 | 12 backing_id
 * release_in:  0 fh u64 | 8 flags | 12 release_flags (u32) | 16 lock_owner u64
 * flush_in:    0 fh u64 | 8 unused | 12 padding (u32) | 16 lock_owner u64
 * read_in:     0 fh | 8 offset (u64) | 16 size | 20 read_flags (u32) | 24 lock_owner u64 | 32 flags u32 | 36 padding
 * write_in:    0 fh | 8 offset (u64) | 16 size | 20 write_flags (u32) | 24 lock_owner u64 | 32 flags u32 | 36 padding; data
 * write_out:   0 size u32 | 4 padding
 * fsync_in:    0 fh u64 | 8 fsync_flags u32 | 12 padding
 * fallocate_in: 0 fh | 8 offset | 16 length (u64) | 24 mode u32 | 28 padding
 * lseek_in:    0 fh | 8 offset (u64) | 16 whence u32 | 20 padding;  lseek_out: 0 offset u64
 * copy_file_range_in: 0 fh_in | 8 off_in | 16 nodeid_out | 24 fh_out | 32 off_out | 40 len | 48 flags (u64)
 * copy_file_range_out (COPY_FILE_RANGE_64): 0 bytes_copied u64;  the older request is answered with write_out
 * ioctl_in:    0 fh u64 | 8 flags | 12 cmd (u32) | 16 arg u64 | 24 in_size | 28 out_size (u32); data
 * ioctl_out:   0 result i32 | 4 flags | 8 in_iovs | 12 out_iovs (u32); data
 * syncfs_in:   0 padding u64
 * interrupt_in: 0 unique u64
 * </pre>
 */
final class FileLayout {
    static final int OPEN_FLAGS = 0;
    static final int OPEN_OPEN_FLAGS = 4;
    static final int OPEN_LENGTH = 8;
    /** FUSE_OPEN_KILL_SUIDGID. */
    static final int FLAG_OPEN_KILL_SUIDGID = 1;

    static final int OPEN_OUT_FH = 0;
    static final int OPEN_OUT_FLAGS = 8;
    static final int OPEN_OUT_LENGTH = 16;

    static final int RELEASE_FH = 0;
    static final int RELEASE_FLAGS = 12;
    static final int RELEASE_LOCK_OWNER = 16;
    static final int RELEASE_LENGTH = 24;
    /** FUSE_RELEASE_FLOCK_UNLOCK. */
    static final int FLAG_RELEASE_FLOCK_UNLOCK = 2;

    static final int FLUSH_FH = 0;
    static final int FLUSH_LOCK_OWNER = 16;
    static final int FLUSH_LENGTH = 24;

    static final int READ_FH = 0;
    static final int READ_OFFSET = 8;
    static final int READ_SIZE = 16;
    static final int READ_FLAGS = 20;
    static final int READ_LENGTH = 40;

    /**
     * FUSE_READ_LOCKOWNER and FUSE_WRITE_LOCKOWNER: the kernel says whose request it is, and does so when it goes past the page cache (fuse_direct_io in
     * fs/fuse/file.c), whatever the reason. Page-ins and buffered writes come without.
     */
    static final int FLAG_LOCKOWNER = 2;

    static final int WRITE_FH = 0;
    static final int WRITE_OFFSET = 8;
    static final int WRITE_SIZE = 16;
    static final int WRITE_FLAGS = 20;
    static final int WRITE_OPEN_FLAGS = 32;
    static final int WRITE_LENGTH = 40;
    /** FUSE_WRITE_CACHE: writeback of mapped pages. */
    static final int FLAG_WRITE_CACHE = 1;
    /** FUSE_WRITE_KILL_SUIDGID. */
    static final int FLAG_WRITE_KILL_SUIDGID = 4;

    static final int WRITE_OUT_SIZE = 0;
    static final int WRITE_OUT_LENGTH = 8;

    static final int FSYNC_FH = 0;
    static final int FSYNC_FLAGS = 8;
    static final int FSYNC_LENGTH = 16;
    /** FUSE_FSYNC_FDATASYNC. */
    static final int FLAG_FSYNC_FDATASYNC = 1;

    static final int FALLOCATE_FH = 0;
    static final int FALLOCATE_OFFSET = 8;
    static final int FALLOCATE_BYTES = 16;
    static final int FALLOCATE_MODE = 24;
    static final int FALLOCATE_LENGTH = 32;

    static final int LSEEK_FH = 0;
    static final int LSEEK_OFFSET = 8;
    static final int LSEEK_WHENCE = 16;
    static final int LSEEK_LENGTH = 24;
    static final int LSEEK_OUT_LENGTH = 8;

    static final int COPY_FH_IN = 0;
    static final int COPY_OFF_IN = 8;
    static final int COPY_NODEID_OUT = 16;
    static final int COPY_FH_OUT = 24;
    static final int COPY_OFF_OUT = 32;
    static final int COPY_BYTES = 40;
    static final int COPY_FLAGS = 48;
    static final int COPY_LENGTH = 56;

    static final int IOCTL_FH = 0;
    static final int IOCTL_FLAGS = 8;
    static final int IOCTL_CMD = 12;
    static final int IOCTL_IN_SIZE = 24;
    static final int IOCTL_OUT_SIZE = 28;
    static final int IOCTL_LENGTH = 32;
    static final int IOCTL_OUT_RESULT = 0;
    static final int IOCTL_OUT_LENGTH = 16;
    /** FUSE_IOCTL_UNRESTRICTED: character devices in user space only; never for a filesystem. */
    static final int FLAG_IOCTL_UNRESTRICTED = 2;

    static final int SYNCFS_LENGTH = 8;

    static final int INTERRUPT_UNIQUE = 0;
    static final int INTERRUPT_LENGTH = 8;

    private FileLayout() {}
}
