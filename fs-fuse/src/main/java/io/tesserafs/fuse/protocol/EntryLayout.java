package io.tesserafs.fuse.protocol;

/**
 * Requests on directory entries; names follow the structure, each ended by NUL.
 *
 * <pre>
 * mknod_in:    0 mode | 4 rdev | 8 umask | 12 padding (u32); name
 * mkdir_in:    0 mode | 4 umask (u32); name
 * rename_in:   0 newdir u64; old name, new name
 * rename2_in:  0 newdir u64 | 8 flags u32 | 12 padding; old name, new name
 * link_in:     0 oldnodeid u64; name
 * create_in:   0 flags | 4 mode | 8 umask | 12 open_flags (u32); name. Used by TMPFILE too
 * forget_in:   0 nlookup u64
 * batch_forget_in: 0 count u32 | 4 dummy; count times forget_one: 0 nodeid u64 | 8 nlookup u64
 * </pre>
 */
final class EntryLayout {
    static final int MKNOD_MODE = 0;
    static final int MKNOD_RDEV = 4;
    static final int MKNOD_LENGTH = 16;

    static final int MKDIR_MODE = 0;
    static final int MKDIR_LENGTH = 8;

    static final int RENAME_NEWDIR = 0;
    static final int RENAME_LENGTH = 8;
    static final int RENAME2_NEWDIR = 0;
    static final int RENAME2_FLAGS = 8;
    static final int RENAME2_LENGTH = 16;

    static final int LINK_OLDNODEID = 0;
    static final int LINK_LENGTH = 8;

    static final int CREATE_FLAGS = 0;
    static final int CREATE_MODE = 4;
    static final int CREATE_OPEN_FLAGS = 12;
    static final int CREATE_LENGTH = 16;

    static final int FORGET_NLOOKUP = 0;
    static final int FORGET_LENGTH = 8;

    static final int BATCH_FORGET_COUNT = 0;
    static final int BATCH_FORGET_LENGTH = 8;
    static final int FORGET_ONE_NODEID = 0;
    static final int FORGET_ONE_NLOOKUP = 8;
    static final int FORGET_ONE_LENGTH = 16;

    private EntryLayout() {}
}
