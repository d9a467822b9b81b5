package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Attributes;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileLock;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Encodes the answers to requests. */
final class FuseRequest extends PendingRequest {
    /** Linux error numbers the kernel takes from us; others it would refuse and leave the caller waiting. */
    private static final int ERRNO_MAX = 511;

    private static final int OUT_BODY = HeaderLayout.OUT_LENGTH;

    private int dataParts;
    private int dataBytes;
    private int dataLimit;

    FuseRequest(Connection connection, RequestLoop loop, ReplyArea area, RequestBuffer buffer) {
        super(connection, loop, area, buffer);
    }

    @Override
    void begin(MemorySegment in) {
        dataParts = 0;
        dataBytes = 0;
        dataLimit = 0;
        super.begin(in);
    }

    /** READ and directory listings: more than {@code bytes} may not be answered. */
    void limitData(int bytes) {
        dataLimit = bytes;
    }

    // ---- answers

    @Override
    public void replyError(int errno) {
        if (errno < 1 || errno > ERRNO_MAX) {
            throw new IllegalArgumentException("errno " + errno);
        }
        claim();
        connection.stats.countError(opcode());
        sendError(errno);
    }

    @Override
    public void replyOk() {
        claim();
        send(area.memory(), 0);
    }

    @Override
    public boolean replyEntry(Attributes attr, long entryTtlNs, long attrTtlNs) {
        Objects.requireNonNull(attr);
        claim();
        AttrLayout.putEntry(area.memory(), OUT_BODY, attr, entryTtlNs, attrTtlNs);
        return send(area.memory(), AttrLayout.ENTRY_LENGTH);
    }

    @Override
    public void replyNoEntry(long entryTtlNs) {
        if (entryTtlNs <= 0) {
            replyError(Errno.ENOENT);
            return;
        }
        claim();
        MemorySegment out = area.memory();
        out.asSlice(OUT_BODY, AttrLayout.ENTRY_LENGTH).fill((byte) 0);
        AttrLayout.putTime(out, OUT_BODY + AttrLayout.ENTRY_VALID, OUT_BODY + AttrLayout.ENTRY_VALID_NSEC, entryTtlNs);
        send(out, AttrLayout.ENTRY_LENGTH);
    }

    @Override
    public void replyAttr(Attributes attr, long attrTtlNs) {
        Objects.requireNonNull(attr);
        claim();
        if (opcode() == Opcode.STATX) {
            StatxLayout.putStatxOut(area.memory(), OUT_BODY, attr, attrTtlNs);
            send(area.memory(), StatxLayout.OUT_LENGTH);
        } else {
            AttrLayout.putAttrOut(area.memory(), OUT_BODY, attr, attrTtlNs);
            send(area.memory(), AttrLayout.OUT_LENGTH);
        }
    }

    @Override
    public boolean replyOpen(long fh, int flags) {
        claim();
        putOpen(OUT_BODY, fh, flags);
        return send(area.memory(), FileLayout.OPEN_OUT_LENGTH);
    }

    @Override
    public boolean replyCreate(Attributes attr, long entryTtlNs, long attrTtlNs, long fh, int flags) {
        Objects.requireNonNull(attr);
        claim();
        AttrLayout.putEntry(area.memory(), OUT_BODY, attr, entryTtlNs, attrTtlNs);
        putOpen(OUT_BODY + AttrLayout.ENTRY_LENGTH, fh, flags);
        return send(area.memory(), AttrLayout.ENTRY_LENGTH + FileLayout.OPEN_OUT_LENGTH);
    }

    private void putOpen(int at, long fh, int flags) {
        MemorySegment out = area.memory();
        Wire.putU64(out, at + FileLayout.OPEN_OUT_FH, fh);
        Wire.putU32(
                out,
                at + FileLayout.OPEN_OUT_FLAGS,
                flags & ~WritebackBarrier.openFlagsToAvoid(connection.negotiated.minor()));
        Wire.putU32(out, at + FileLayout.OPEN_OUT_FLAGS + 4, 0);
    }

    @Override
    public void replyBytes(byte[] bytes) {
        MemorySegment out = space(bytes.length);
        claim();
        Wire.putBytes(out, OUT_BODY, bytes);
        send(out, bytes.length);
    }

    @Override
    public void replyXattr(byte[] value, int size) {
        if (size == 0) {
            claim();
            Wire.putU32(area.memory(), OUT_BODY + XattrLayout.GET_OUT_SIZE, value.length);
            Wire.putU32(area.memory(), OUT_BODY + XattrLayout.GET_OUT_SIZE + 4, 0);
            send(area.memory(), XattrLayout.GET_OUT_LENGTH);
        } else if (value.length > size) {
            replyError(Errno.ERANGE);
        } else {
            replyBytes(value);
        }
    }

    /** COPY_FILE_RANGE_64 wants 64 bits, the others 32 and 32 of padding, which in little-endian order is the same. */
    @Override
    public void replyWritten(int count) {
        if (count < 0) {
            throw new IllegalArgumentException("written " + count);
        }
        replyOffset(count);
    }

    @Override
    public void replyOffset(long offset) {
        claim();
        Wire.putU64(area.memory(), OUT_BODY, offset);
        send(area.memory(), FileLayout.LSEEK_OUT_LENGTH);
    }

    @Override
    public void replyLock(FileLock lock) {
        Objects.requireNonNull(lock);
        claim();
        LockLayout.putOut(area.memory(), OUT_BODY, lock);
        send(area.memory(), LockLayout.OUT_LENGTH);
    }

    @Override
    public void replyIoctl(int result, byte[] out) {
        int length = FileLayout.IOCTL_OUT_LENGTH + out.length;
        MemorySegment memory = space(length);
        claim();
        memory.asSlice(OUT_BODY, FileLayout.IOCTL_OUT_LENGTH).fill((byte) 0);
        Wire.putU32(memory, OUT_BODY + FileLayout.IOCTL_OUT_RESULT, result);
        Wire.putBytes(memory, OUT_BODY + FileLayout.IOCTL_OUT_LENGTH, out);
        send(memory, length);
    }

    @Override
    public void replyStatfs(
            long blocks,
            long free,
            long available,
            long files,
            long freeFiles,
            int blockSize,
            int nameMax,
            int fragmentSize) {
        claim();
        MemorySegment out = area.memory();
        out.asSlice(OUT_BODY, AttrLayout.STATFS_LENGTH).fill((byte) 0);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_BLOCKS, blocks);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_BFREE, free);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_BAVAIL, available);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_FILES, files);
        Wire.putU64(out, OUT_BODY + AttrLayout.STATFS_FFREE, freeFiles);
        Wire.putU32(out, OUT_BODY + AttrLayout.STATFS_BSIZE, blockSize);
        Wire.putU32(out, OUT_BODY + AttrLayout.STATFS_NAMELEN, nameMax);
        Wire.putU32(out, OUT_BODY + AttrLayout.STATFS_FRSIZE, fragmentSize);
        send(out, AttrLayout.STATFS_LENGTH);
    }

    // ---- bulk data

    @Override
    public void addData(MemorySegment memory, long offset, int length) {
        Objects.checkFromIndexSize(offset, length, memory.byteSize());
        if (!memory.isNative()) {
            throw new IllegalArgumentException("data must be in native memory");
        }
        addPart(memory.address() + offset, length);
    }

    @Override
    public void clearData() {
        checkOpen();
        dataParts = 0;
        dataBytes = 0;
    }

    @Override
    public void addZeros(int length) {
        // One mapping of zeros is as long as the longest answer, so one part is enough.
        Objects.checkFromIndexSize(0, length, connection.pool.maxWriteBytes());
        addPart(connection.pool.zerosAddress(), length);
    }

    private void addPart(long address, int length) {
        checkOpen();
        if (length > dataLimit - dataBytes || dataParts == MAX_DATA_PARTS) {
            throw new IllegalStateException("answer of more than " + dataLimit + " bytes or " + MAX_DATA_PARTS
                    + " parts: " + dataBytes + " + " + length + " in part " + dataParts);
        }
        if (length > 0) {
            area.setIovec(++dataParts, address, length);
            dataBytes += length;
        }
    }

    @Override
    public void replyData() {
        claim();
        connection.stats.readBytes.add(dataBytes);
        if (dataParts == 0) {
            send(area.memory(), 0);
            return;
        }
        sendGathered(dataParts, dataBytes);
    }

    @Override
    public Directory directory(int size, boolean plus) {
        int capacity = Math.min(size, dataLimit);
        return new DirectoryReply(this, space(capacity), capacity, plus);
    }
}
