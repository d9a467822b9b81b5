package io.tesserafs.fuse.protocol;

/**
 * Extended attributes.
 *
 * <pre>
 * setxattr_in:  0 size | 4 flags (u32); name NUL, value                                    (8 bytes, before SETXATTR_EXT)
 * setxattr_in:  0 size | 4 flags | 8 setxattr_flags | 12 padding (u32); name NUL, value    (16 bytes, with it)
 * getxattr_in:  0 size | 4 padding (u32); name NUL (GETXATTR only; LISTXATTR has none)
 * getxattr_out: 0 size | 4 padding (u32): the answer to a request of size 0
 * </pre>
 */
final class XattrLayout {
    static final int SET_SIZE = 0;
    static final int SET_FLAGS = 4;
    static final int SET_LENGTH_COMPAT = 8;
    static final int SET_EXT_FLAGS = 8;
    static final int SET_LENGTH = 16;
    /** FUSE_SETXATTR_ACL_KILL_SGID. */
    static final int FLAG_ACL_KILL_SGID = 1;

    static final int GET_SIZE = 0;
    static final int GET_LENGTH = 8;
    static final int GET_OUT_SIZE = 0;
    static final int GET_OUT_LENGTH = 8;

    private XattrLayout() {}
}
