package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Attributes;
import io.tesserafs.fuse.Request;
import java.lang.foreign.MemorySegment;

/** Packs directory entries into the answer to a READDIR or READDIRPLUS. */
final class DirectoryReply implements Request.Directory {
    /** S_IFMT in {@code st_mode >> 12}. */
    private static final int TYPE_SHIFT = 12;

    private final FuseRequest request;
    private final MemorySegment out;
    private final boolean plus;
    private final int end;
    private int at = HeaderLayout.OUT_LENGTH;

    DirectoryReply(FuseRequest request, MemorySegment out, int capacity, boolean plus) {
        this.request = request;
        this.out = out;
        this.plus = plus;
        this.end = HeaderLayout.OUT_LENGTH + capacity;
    }

    @Override
    public boolean add(byte[] name, long ino, int type, long nextCookie) {
        request.checkOpen();
        int length = entryLength(name);
        if (length > end - at) {
            return false;
        }
        if (plus) {
            // Node id 0: the kernel takes the name but links no inode to it.
            out.asSlice(at, AttrLayout.ENTRY_LENGTH).fill((byte) 0);
        }
        putDirent(name, ino, type, nextCookie, length);
        return true;
    }

    @Override
    public boolean add(byte[] name, Attributes attr, long nextCookie, long entryTtlNs, long attrTtlNs) {
        request.checkOpen();
        int length = entryLength(name);
        if (length > end - at) {
            return false;
        }
        if (plus) {
            AttrLayout.putEntry(out, at + DirentLayout.PLUS_ENTRY, attr, entryTtlNs, attrTtlNs);
        }
        putDirent(name, attr.ino(), attr.mode() >>> TYPE_SHIFT, nextCookie, length);
        return true;
    }

    @Override
    public boolean reply() {
        request.claim();
        return request.send(out, at - HeaderLayout.OUT_LENGTH);
    }

    private int entryLength(byte[] name) {
        return Wire.align8((plus ? DirentLayout.PLUS_DIRENT : 0) + DirentLayout.NAME + name.length);
    }

    private void putDirent(byte[] name, long ino, int type, long nextCookie, int length) {
        int dirent = at + (plus ? DirentLayout.PLUS_DIRENT : 0);
        // The padding: the last 8 bytes, then the name over them.
        Wire.putU64(out, at + length - Long.BYTES, 0);
        Wire.putU64(out, dirent + DirentLayout.INO, ino);
        Wire.putU64(out, dirent + DirentLayout.OFF, nextCookie);
        Wire.putU32(out, dirent + DirentLayout.NAMELEN, name.length);
        Wire.putU32(out, dirent + DirentLayout.TYPE, type);
        Wire.putBytes(out, dirent + DirentLayout.NAME, name);
        at += length;
    }
}
