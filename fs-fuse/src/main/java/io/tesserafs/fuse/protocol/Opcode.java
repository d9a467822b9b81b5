package io.tesserafs.fuse.protocol;

import java.util.List;

/** enum fuse_opcode, with the shortest body (the request without its header) that each may have. */
final class Opcode {
    static final int LOOKUP = 1;
    static final int FORGET = 2;
    static final int GETATTR = 3;
    static final int SETATTR = 4;
    static final int READLINK = 5;
    static final int SYMLINK = 6;
    static final int MKNOD = 8;
    static final int MKDIR = 9;
    static final int UNLINK = 10;
    static final int RMDIR = 11;
    static final int RENAME = 12;
    static final int LINK = 13;
    static final int OPEN = 14;
    static final int READ = 15;
    static final int WRITE = 16;
    static final int STATFS = 17;
    static final int RELEASE = 18;
    static final int FSYNC = 20;
    static final int SETXATTR = 21;
    static final int GETXATTR = 22;
    static final int LISTXATTR = 23;
    static final int REMOVEXATTR = 24;
    static final int FLUSH = 25;
    static final int INIT = 26;
    static final int OPENDIR = 27;
    static final int READDIR = 28;
    static final int RELEASEDIR = 29;
    static final int FSYNCDIR = 30;
    static final int GETLK = 31;
    static final int SETLK = 32;
    static final int SETLKW = 33;
    static final int ACCESS = 34;
    static final int CREATE = 35;
    static final int INTERRUPT = 36;
    static final int BMAP = 37;
    static final int DESTROY = 38;
    static final int IOCTL = 39;
    static final int POLL = 40;
    static final int NOTIFY_REPLY = 41;
    static final int BATCH_FORGET = 42;
    static final int FALLOCATE = 43;
    static final int READDIRPLUS = 44;
    static final int RENAME2 = 45;
    static final int LSEEK = 46;
    static final int COPY_FILE_RANGE = 47;
    static final int SETUPMAPPING = 48;
    static final int REMOVEMAPPING = 49;
    static final int SYNCFS = 50;
    static final int TMPFILE = 51;
    static final int STATX = 52;
    static final int COPY_FILE_RANGE_64 = 53;

    /** Opcodes at or above this are unknown to us; they are counted together in slot 0, which no opcode uses. */
    static final int COUNT = 54;

    private static final List<String> NAMES = List.of(
            "unknown",
            "lookup",
            "forget",
            "getattr",
            "setattr",
            "readlink",
            "symlink",
            "opcode7",
            "mknod",
            "mkdir",
            "unlink",
            "rmdir",
            "rename",
            "link",
            "open",
            "read",
            "write",
            "statfs",
            "release",
            "opcode19",
            "fsync",
            "setxattr",
            "getxattr",
            "listxattr",
            "removexattr",
            "flush",
            "init",
            "opendir",
            "readdir",
            "releasedir",
            "fsyncdir",
            "getlk",
            "setlk",
            "setlkw",
            "access",
            "create",
            "interrupt",
            "bmap",
            "destroy",
            "ioctl",
            "poll",
            "notify_reply",
            "batch_forget",
            "fallocate",
            "readdirplus",
            "rename2",
            "lseek",
            "copy_file_range",
            "setupmapping",
            "removemapping",
            "syncfs",
            "tmpfile",
            "statx",
            "copy_file_range_64");

    private static final int[] MIN_BODY = minimumBodies();

    private Opcode() {}

    /** The slot of {@link #COUNT} in which {@code opcode} is counted. */
    static int slot(int opcode) {
        return opcode > 0 && opcode < COUNT ? opcode : 0;
    }

    static String name(int opcode) {
        return NAMES.get(slot(opcode));
    }

    /** A name counts as 2 bytes here, its NUL included. 0 for opcodes that have no body or that we do not decode. */
    static int minimumBodyBytes(int opcode) {
        return MIN_BODY[slot(opcode)];
    }

    private static int[] minimumBodies() {
        int name = 2;
        int[] min = new int[COUNT];
        for (int op : new int[] {LOOKUP, UNLINK, RMDIR, REMOVEXATTR}) {
            min[op] = name;
        }
        min[SYMLINK] = name + name;
        min[FORGET] = EntryLayout.FORGET_LENGTH;
        min[BATCH_FORGET] = EntryLayout.BATCH_FORGET_LENGTH;
        min[GETATTR] = AttrLayout.GETATTR_LENGTH;
        min[STATX] = StatxLayout.IN_LENGTH;
        min[SETATTR] = SetattrLayout.LENGTH;
        min[MKNOD] = EntryLayout.MKNOD_LENGTH + name;
        min[MKDIR] = EntryLayout.MKDIR_LENGTH + name;
        min[RENAME] = EntryLayout.RENAME_LENGTH + name + name;
        min[RENAME2] = EntryLayout.RENAME2_LENGTH + name + name;
        min[LINK] = EntryLayout.LINK_LENGTH + name;
        min[CREATE] = EntryLayout.CREATE_LENGTH + name;
        min[TMPFILE] = EntryLayout.CREATE_LENGTH;
        min[OPEN] = FileLayout.OPEN_LENGTH;
        min[OPENDIR] = FileLayout.OPEN_LENGTH;
        for (int op : new int[] {READ, READDIR, READDIRPLUS}) {
            min[op] = FileLayout.READ_LENGTH;
        }
        min[WRITE] = FileLayout.WRITE_LENGTH;
        min[RELEASE] = FileLayout.RELEASE_LENGTH;
        min[RELEASEDIR] = FileLayout.RELEASE_LENGTH;
        min[FLUSH] = FileLayout.FLUSH_LENGTH;
        min[FSYNC] = FileLayout.FSYNC_LENGTH;
        min[FSYNCDIR] = FileLayout.FSYNC_LENGTH;
        for (int op : new int[] {GETLK, SETLK, SETLKW}) {
            min[op] = LockLayout.IN_LENGTH;
        }
        min[SETXATTR] = XattrLayout.SET_LENGTH_COMPAT + name;
        min[GETXATTR] = XattrLayout.GET_LENGTH + name;
        min[LISTXATTR] = XattrLayout.GET_LENGTH;
        min[IOCTL] = FileLayout.IOCTL_LENGTH;
        min[FALLOCATE] = FileLayout.FALLOCATE_LENGTH;
        min[LSEEK] = FileLayout.LSEEK_LENGTH;
        min[COPY_FILE_RANGE] = FileLayout.COPY_LENGTH;
        min[COPY_FILE_RANGE_64] = FileLayout.COPY_LENGTH;
        min[SYNCFS] = FileLayout.SYNCFS_LENGTH;
        min[INTERRUPT] = FileLayout.INTERRUPT_LENGTH;
        return min;
    }
}
