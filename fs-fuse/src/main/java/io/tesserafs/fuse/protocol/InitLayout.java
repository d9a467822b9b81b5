package io.tesserafs.fuse.protocol;

/**
 * struct fuse_init_in (64 bytes; 16 before 7.36) and fuse_init_out (64 bytes), and the FUSE_* feature bits. {@code flags2}
 * holds bits 32 and up.
 *
 * <pre>
 * in:   0 major | 4 minor | 8 max_readahead | 12 flags | 16 flags2 | 20 unused[11] (u32)
 * out:  0 major | 4 minor | 8 max_readahead | 12 flags (u32) | 16 max_background | 18 congestion_threshold (u16) | 20 max_write
 *       | 24 time_gran (u32) | 28 max_pages | 30 map_alignment (u16) | 32 flags2 | 36 max_stack_depth (u32) | 40 request_timeout u16 | 42 unused
 * </pre>
 */
final class InitLayout {
    static final int IN_MAJOR = 0;
    static final int IN_MINOR = 4;
    static final int IN_MAX_READAHEAD = 8;
    static final int IN_FLAGS = 12;
    static final int IN_FLAGS2 = 16;
    /** What every kernel sends. */
    static final int IN_LENGTH_MIN = 16;

    static final int IN_LENGTH = 64;

    static final int OUT_MAJOR = 0;
    static final int OUT_MINOR = 4;
    static final int OUT_MAX_READAHEAD = 8;
    static final int OUT_FLAGS = 12;
    static final int OUT_MAX_BACKGROUND = 16;
    static final int OUT_CONGESTION_THRESHOLD = 18;
    static final int OUT_MAX_WRITE = 20;
    static final int OUT_TIME_GRAN = 24;
    static final int OUT_MAX_PAGES = 28;
    static final int OUT_FLAGS2 = 32;
    static final int OUT_LENGTH = 64;

    static final long ASYNC_READ = 1;
    static final long POSIX_LOCKS = 1 << 1;
    static final long ATOMIC_O_TRUNC = 1 << 3;
    static final long BIG_WRITES = 1 << 5;
    static final long FLOCK_LOCKS = 1 << 10;
    static final long DO_READDIRPLUS = 1 << 13;
    static final long READDIRPLUS_AUTO = 1 << 14;
    static final long ASYNC_DIO = 1 << 15;
    static final long PARALLEL_DIROPS = 1 << 18;
    static final long MAX_PAGES = 1 << 22;
    static final long CACHE_SYMLINKS = 1 << 23;
    static final long EXPLICIT_INVAL_DATA = 1 << 25;
    static final long HANDLE_KILLPRIV_V2 = 1 << 28;
    static final long SETXATTR_EXT = 1 << 29;
    static final long INIT_EXT = 1 << 30;
    static final long DIRECT_IO_ALLOW_MMAP = 1L << 36;

    private InitLayout() {}
}
