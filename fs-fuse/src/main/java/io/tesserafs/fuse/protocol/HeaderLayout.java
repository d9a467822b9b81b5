package io.tesserafs.fuse.protocol;

/**
 * struct fuse_in_header (40 bytes), which starts every request, and struct fuse_out_header (16 bytes), which starts every answer and
 * notification.
 *
 * <pre>
 * in:   0 len u32 | 4 opcode u32 | 8 unique u64 | 16 nodeid u64 | 24 uid u32 | 28 gid u32 | 32 pid u32 | 36 total_extlen u16 | 38 padding
 * out:  0 len u32 | 4 error i32 (minus errno; a code in notifications) | 8 unique u64 (0 in notifications)
 * </pre>
 */
final class HeaderLayout {
    static final int IN_LEN = 0;
    static final int IN_OPCODE = 4;
    static final int IN_UNIQUE = 8;
    static final int IN_NODEID = 16;
    static final int IN_UID = 24;
    static final int IN_GID = 28;
    static final int IN_PID = 32;
    /** Length of extensions at the end of the request, in units of 8 bytes (7.38). We negotiate none. */
    static final int IN_TOTAL_EXTLEN = 36;

    static final int IN_LENGTH = 40;

    static final int OUT_LEN = 0;
    static final int OUT_ERROR = 4;
    static final int OUT_UNIQUE = 8;
    static final int OUT_LENGTH = 16;

    private HeaderLayout() {}
}
