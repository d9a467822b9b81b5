package io.tesserafs.fuse.protocol;

/**
 * Notifications: an out header with {@code unique} 0 and a code in place of the error, then
 *
 * <pre>
 * inval_inode_out:  0 ino u64 | 8 off i64 | 16 len i64
 * inval_entry_out:  0 parent u64 | 8 namelen u32 | 12 flags u32; name NUL
 * store:            u64 nodeid · u64 offset · u32 size · u32 zero · data
 * inc_epoch:        nothing (7.44)
 * </pre>
 */
final class NotifyLayout {
    static final int CODE_INVAL_INODE = 2;
    static final int CODE_INVAL_ENTRY = 3;
    static final int CODE_STORE = 4;
    static final int CODE_INC_EPOCH = 8;

    static final int INODE_INO = 0;
    static final int INODE_OFF = 8;
    static final int INODE_LEN = 16;
    static final int INODE_LENGTH = 24;

    static final int ENTRY_PARENT = 0;
    static final int ENTRY_NAMELEN = 8;
    static final int ENTRY_FLAGS = 12;
    static final int ENTRY_LENGTH = 16;

    static final int STORE_NODEID = 0;
    static final int STORE_OFFSET = 8;
    static final int STORE_SIZE = 16;
    static final int STORE_LENGTH = 24;

    private NotifyLayout() {}
}
