package io.tesserafs.node.daemon;

import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import java.util.List;

/** An inode from the inside, as {@code tessera stat} shows it. Times are nanoseconds since 1970; {@code blocks} are of 512 bytes. */
record InodeStat(
        long ino,
        String type,
        int mode,
        int nlink,
        int uid,
        int gid,
        long size,
        long blocks,
        long atimeNs,
        long mtimeNs,
        long ctimeNs,
        long btimeNs,
        List<ExtentInfo> extents,
        boolean more) {
    /** Extents in one answer. */
    private static final int MAX_EXTENTS = 1000;

    private static final long LAST_TILE = Long.MAX_VALUE >>> 21;

    /** One extent. */
    record ExtentInfo(long tile, int brick, String block, int offset, int length, int validBytes, boolean slice) {
        static ExtentInfo of(Extent e) {
            return new ExtentInfo(
                    e.tile(),
                    e.ref().brick().value(),
                    e.ref().block().toString(),
                    e.ref().offset(),
                    e.ref().bytes(),
                    e.validBytes(),
                    !e.ref().isWholeBlock());
        }
    }

    static InodeStat of(VolumeService service, long ino) throws AdminException {
        try {
            InodeAttr attr = service.getattr(ino);
            List<Extent> layout = service.layout(ino, 0, LAST_TILE);
            return new InodeStat(
                    attr.ino(),
                    type(attr.mode()),
                    attr.mode(),
                    attr.nlink(),
                    attr.uid(),
                    attr.gid(),
                    attr.size(),
                    attr.blocks(),
                    attr.atimeNs(),
                    attr.mtimeNs(),
                    attr.ctimeNs(),
                    attr.btimeNs(),
                    layout.stream().limit(MAX_EXTENTS).map(ExtentInfo::of).toList(),
                    layout.size() > MAX_EXTENTS);
        } catch (FsException e) {
            throw new AdminException(Code.NOT_FOUND, "inode " + ino + ": " + e.getMessage());
        }
    }

    private static String type(int mode) {
        return switch (mode & InodeAttr.S_IFMT) {
            case InodeAttr.S_IFREG -> "file";
            case InodeAttr.S_IFDIR -> "directory";
            case InodeAttr.S_IFLNK -> "symlink";
            case InodeAttr.S_IFCHR -> "character device";
            case InodeAttr.S_IFBLK -> "block device";
            case InodeAttr.S_IFIFO -> "fifo";
            case InodeAttr.S_IFSOCK -> "socket";
            default -> "unknown";
        };
    }
}
