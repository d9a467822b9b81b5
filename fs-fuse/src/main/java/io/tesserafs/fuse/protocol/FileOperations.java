package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileLock;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.SetAttr;
import java.lang.foreign.MemorySegment;

/** Decodes the requests on inodes and open files. */
final class FileOperations {
    /** XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel. */
    private static final int XATTR_BYTES_MAX = 65536;
    /** Answers count 32 bits; a page less than 2 GiB keeps copies aligned. */
    private static final long COPY_BYTES_MAX = Integer.MAX_VALUE & -4096;
    /** The size field of an ioctl number has 14 bits. */
    private static final int IOCTL_BYTES_MAX = 1 << 14;

    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;

    private final FileSystem fs;
    private final Body body;
    private final Connection connection;
    private final int maxBytes;
    private final boolean setxattrExt;

    FileOperations(FileSystem fs, Body body, Connection connection) {
        this.fs = fs;
        this.body = body;
        this.connection = connection;
        this.maxBytes = connection.negotiated.maxWriteBytes();
        this.setxattrExt = connection.negotiated.has(InitLayout.SETXATTR_EXT);
    }

    void read(FuseRequest rq, long node) {
        int size = body.size(FileLayout.READ_SIZE, maxBytes);
        rq.limitData(size);
        fs.read(
                rq,
                node,
                body.u64(FileLayout.READ_FH),
                body.offset(FileLayout.READ_OFFSET),
                size,
                (body.u32(FileLayout.READ_FLAGS) & FileLayout.FLAG_LOCKOWNER) != 0);
    }

    void write(FuseRequest rq, long node) {
        int size = body.size(FileLayout.WRITE_SIZE, maxBytes);
        int flags = body.u32(FileLayout.WRITE_FLAGS);
        long fh = body.u64(FileLayout.WRITE_FH);
        long offset = body.offset(FileLayout.WRITE_OFFSET);
        int at = body.dataAt(FileLayout.WRITE_LENGTH, size);
        if (offset > Long.MAX_VALUE - size) {
            throw new MalformedRequestException(Errno.EINVAL, "write of " + size + " bytes at " + offset);
        }
        connection.stats.writtenBytes.add(size);
        fs.write(
                rq,
                node,
                fh,
                offset,
                rq.attachedBuffer().slice(at, size),
                (flags & FileLayout.FLAG_LOCKOWNER) != 0,
                (flags & FileLayout.FLAG_WRITE_CACHE) != 0,
                (flags & FileLayout.FLAG_WRITE_KILL_SUIDGID) != 0,
                body.u32(FileLayout.WRITE_OPEN_FLAGS));
    }

    void getattr(FuseRequest rq, long node) {
        boolean handle = (body.u32(AttrLayout.GETATTR_FLAGS) & AttrLayout.FLAG_GETATTR_FH) != 0;
        fs.getattr(rq, node, handle ? body.u64(AttrLayout.GETATTR_FH) : FileSystem.NO_HANDLE);
    }

    /** False if {@code opcode} is not one of these. */
    boolean decode(FuseRequest rq, int opcode, long node) {
        switch (opcode) {
            // The first two fields are the same.
            case Opcode.STATX -> getattr(rq, node);
            case Opcode.SETATTR -> fs.setattr(rq, node, setAttr());
            case Opcode.OPEN -> {
                boolean kill = (body.u32(FileLayout.OPEN_OPEN_FLAGS) & FileLayout.FLAG_OPEN_KILL_SUIDGID) != 0;
                fs.open(rq, node, body.u32(FileLayout.OPEN_FLAGS), kill);
            }
            case Opcode.OPENDIR -> fs.opendir(rq, node, body.u32(FileLayout.OPEN_FLAGS));
            case Opcode.READDIR -> readdir(rq, node, false);
            case Opcode.READDIRPLUS -> readdir(rq, node, true);
            case Opcode.RELEASE -> release(rq, node);
            case Opcode.RELEASEDIR -> fs.releasedir(rq, node, body.u64(FileLayout.RELEASE_FH));
            case Opcode.FLUSH ->
                fs.flush(rq, node, body.u64(FileLayout.FLUSH_FH), body.u64(FileLayout.FLUSH_LOCK_OWNER));
            case Opcode.GETLK -> getlk(rq, node);
            case Opcode.SETLK, Opcode.SETLKW ->
                fs.setlk(rq, node, body.u64(LockLayout.IN_FH), LockLayout.get(body), opcode == Opcode.SETLKW);
            case Opcode.FSYNC -> fs.fsync(rq, node, body.u64(FileLayout.FSYNC_FH), dataOnly());
            case Opcode.FSYNCDIR -> fs.fsyncdir(rq, node, body.u64(FileLayout.FSYNC_FH), dataOnly());
            case Opcode.STATFS -> fs.statfs(rq, node);
            case Opcode.SYNCFS -> fs.syncfs(rq, node);
            case Opcode.SETXATTR -> setxattr(rq, node);
            case Opcode.GETXATTR -> {
                int size = body.size(XattrLayout.GET_SIZE, XATTR_BYTES_MAX);
                fs.getxattr(rq, node, body.skip(XattrLayout.GET_LENGTH).xattrName(), size);
            }
            case Opcode.LISTXATTR -> fs.listxattr(rq, node, body.size(XattrLayout.GET_SIZE, XATTR_BYTES_MAX));
            case Opcode.REMOVEXATTR -> fs.removexattr(rq, node, body.xattrName());
            case Opcode.FALLOCATE -> fallocate(rq, node);
            case Opcode.LSEEK -> lseek(rq, node);
            case Opcode.COPY_FILE_RANGE, Opcode.COPY_FILE_RANGE_64 -> copyFileRange(rq, node);
            case Opcode.IOCTL -> ioctl(rq, node);
            default -> {
                return false;
            }
        }
        return true;
    }

    private void release(FuseRequest rq, long node) {
        boolean unlock = (body.u32(FileLayout.RELEASE_FLAGS) & FileLayout.FLAG_RELEASE_FLOCK_UNLOCK) != 0;
        Long flockOwner = unlock ? body.u64(FileLayout.RELEASE_LOCK_OWNER) : null;
        fs.release(rq, node, body.u64(FileLayout.RELEASE_FH), flockOwner);
    }

    private void getlk(FuseRequest rq, long node) {
        FileLock lock = LockLayout.get(body);
        if (lock.flock() || lock.type() == FileLock.UNLOCKED) {
            throw new MalformedRequestException(Errno.EINVAL, "question about " + lock);
        }
        fs.getlk(rq, node, body.u64(LockLayout.IN_FH), lock);
    }

    private boolean dataOnly() {
        return (body.u32(FileLayout.FSYNC_FLAGS) & FileLayout.FLAG_FSYNC_FDATASYNC) != 0;
    }

    private SetAttr setAttr() {
        int valid = body.u32(SetattrLayout.VALID);
        long size = (valid & SetAttr.SIZE) != 0 ? body.offset(SetattrLayout.SIZE) : 0;
        return new SetAttr(
                valid,
                (valid & SetAttr.FH) != 0 ? body.u64(SetattrLayout.FH) : FileSystem.NO_HANDLE,
                body.u32(SetattrLayout.MODE),
                body.u32(SetattrLayout.UID),
                body.u32(SetattrLayout.GID),
                size,
                time(SetattrLayout.ATIME, SetattrLayout.ATIMENSEC),
                time(SetattrLayout.MTIME, SetattrLayout.MTIMENSEC),
                time(SetattrLayout.CTIME, SetattrLayout.CTIMENSEC));
    }

    private long time(int secondsField, int nanosField) {
        return AttrLayout.nanosOf(body.u64(secondsField), body.u32(nanosField));
    }

    private void readdir(FuseRequest rq, long node, boolean plus) {
        int size = body.size(FileLayout.READ_SIZE, maxBytes);
        rq.limitData(size);
        fs.readdir(rq, node, body.u64(FileLayout.READ_FH), body.u64(FileLayout.READ_OFFSET), size, plus);
    }

    private void setxattr(FuseRequest rq, long node) {
        int size = body.size(XattrLayout.SET_SIZE, XATTR_BYTES_MAX);
        int flags = body.u32(XattrLayout.SET_FLAGS);
        boolean clearSgid = false;
        int fixed = XattrLayout.SET_LENGTH_COMPAT;
        if (setxattrExt) {
            fixed = XattrLayout.SET_LENGTH;
            if (body.bytes() < fixed) {
                throw new MalformedRequestException(Errno.EIO, "body of only " + body.bytes() + " bytes");
            }
            clearSgid = (body.u32(XattrLayout.SET_EXT_FLAGS) & XattrLayout.FLAG_ACL_KILL_SGID) != 0;
        }
        byte[] name = body.skip(fixed).xattrName();
        fs.setxattr(rq, node, name, body.value(size), flags, clearSgid);
    }

    private void fallocate(FuseRequest rq, long node) {
        long offset = body.offset(FileLayout.FALLOCATE_OFFSET);
        long length = body.offset(FileLayout.FALLOCATE_BYTES);
        if (offset > Long.MAX_VALUE - length) {
            throw new MalformedRequestException(Errno.EFBIG, "fallocate of " + length + " bytes at " + offset);
        }
        fs.fallocate(rq, node, body.u64(FileLayout.FALLOCATE_FH), offset, length, body.u32(FileLayout.FALLOCATE_MODE));
    }

    private void lseek(FuseRequest rq, long node) {
        int whence = body.u32(FileLayout.LSEEK_WHENCE);
        if (whence != SEEK_DATA && whence != SEEK_HOLE) {
            throw new MalformedRequestException(Errno.EINVAL, "lseek by " + whence);
        }
        fs.lseek(rq, node, body.u64(FileLayout.LSEEK_FH), body.offset(FileLayout.LSEEK_OFFSET), whence);
    }

    private void copyFileRange(FuseRequest rq, long node) {
        if (body.u64(FileLayout.COPY_FLAGS) != 0) {
            throw new MalformedRequestException(
                    Errno.EINVAL, "copy_file_range with flags " + body.u64(FileLayout.COPY_FLAGS));
        }
        fs.copyFileRange(
                rq,
                node,
                body.u64(FileLayout.COPY_FH_IN),
                body.offset(FileLayout.COPY_OFF_IN),
                body.node(FileLayout.COPY_NODEID_OUT),
                body.u64(FileLayout.COPY_FH_OUT),
                body.offset(FileLayout.COPY_OFF_OUT),
                Math.min(body.offset(FileLayout.COPY_BYTES), COPY_BYTES_MAX));
    }

    private void ioctl(FuseRequest rq, long node) {
        if ((body.u32(FileLayout.IOCTL_FLAGS) & FileLayout.FLAG_IOCTL_UNRESTRICTED) != 0) {
            throw new MalformedRequestException(Errno.EINVAL, "unrestricted ioctl");
        }
        int inSize = body.size(FileLayout.IOCTL_IN_SIZE, IOCTL_BYTES_MAX);
        int outSize = body.size(FileLayout.IOCTL_OUT_SIZE, IOCTL_BYTES_MAX);
        int at = body.dataAt(FileLayout.IOCTL_LENGTH, inSize);
        MemorySegment in = inSize == 0 ? null : rq.attachedBuffer().slice(at, inSize);
        fs.ioctl(rq, node, body.u64(FileLayout.IOCTL_FH), body.u32(FileLayout.IOCTL_CMD), in, outSize);
    }
}
