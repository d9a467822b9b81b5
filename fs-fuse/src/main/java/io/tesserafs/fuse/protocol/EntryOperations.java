package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.Request;

/** Decodes the requests on names: everything that makes, moves or removes directory entries, and symbolic links. */
final class EntryOperations {
    private static final int RENAME_NOREPLACE = 1;
    private static final int RENAME_EXCHANGE = 2;

    private final FileSystem fs;
    private final Body body;

    EntryOperations(FileSystem fs, Body body) {
        this.fs = fs;
        this.body = body;
    }

    /** False if {@code opcode} is not one of these. */
    boolean decode(Request rq, int opcode, long node) {
        switch (opcode) {
            case Opcode.READLINK -> fs.readlink(rq, node);
            case Opcode.SYMLINK -> symlink(rq, node);
            case Opcode.MKNOD -> mknod(rq, node);
            case Opcode.MKDIR -> {
                int mode = body.u32(EntryLayout.MKDIR_MODE);
                fs.mkdir(rq, node, body.skip(EntryLayout.MKDIR_LENGTH).name(), mode);
            }
            case Opcode.UNLINK -> fs.unlink(rq, node, body.name());
            case Opcode.RMDIR -> fs.rmdir(rq, node, body.name());
            case Opcode.RENAME -> rename(rq, node, body.node(EntryLayout.RENAME_NEWDIR), 0, EntryLayout.RENAME_LENGTH);
            case Opcode.RENAME2 ->
                rename(
                        rq,
                        node,
                        body.node(EntryLayout.RENAME2_NEWDIR),
                        body.u32(EntryLayout.RENAME2_FLAGS),
                        EntryLayout.RENAME2_LENGTH);
            case Opcode.LINK -> {
                long target = body.node(EntryLayout.LINK_OLDNODEID);
                fs.link(rq, target, node, body.skip(EntryLayout.LINK_LENGTH).name());
            }
            case Opcode.CREATE -> create(rq, node);
            case Opcode.TMPFILE ->
                fs.tmpfile(rq, node, body.u32(EntryLayout.CREATE_MODE), body.u32(EntryLayout.CREATE_FLAGS));
            default -> {
                return false;
            }
        }
        return true;
    }

    private void symlink(Request rq, long node) {
        byte[] name = body.name();
        fs.symlink(rq, node, name, body.linkTarget());
    }

    private void mknod(Request rq, long node) {
        int mode = body.u32(EntryLayout.MKNOD_MODE);
        int rdev = body.u32(EntryLayout.MKNOD_RDEV);
        fs.mknod(rq, node, body.skip(EntryLayout.MKNOD_LENGTH).name(), mode, rdev);
    }

    private void rename(Request rq, long node, long newParent, int flags, int fixed) {
        byte[] name = body.skip(fixed).name();
        byte[] newName = body.name();
        boolean known = flags == 0 || flags == RENAME_NOREPLACE || flags == RENAME_EXCHANGE;
        if (!known) {
            rq.replyError(Errno.EINVAL);
            return;
        }
        fs.rename(rq, node, name, newParent, newName, flags);
    }

    private void create(Request rq, long node) {
        int flags = body.u32(EntryLayout.CREATE_FLAGS);
        int mode = body.u32(EntryLayout.CREATE_MODE);
        boolean kill = (body.u32(EntryLayout.CREATE_OPEN_FLAGS) & FileLayout.FLAG_OPEN_KILL_SUIDGID) != 0;
        fs.create(rq, node, body.skip(EntryLayout.CREATE_LENGTH).name(), mode, flags, kill);
    }
}
