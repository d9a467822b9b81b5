package io.tesserafs.fabric.pmem;

/**
 * The filesystem a pool lies on, by the magic number of statfs(2) (see linux/magic.h).
 *
 * @param memoryOnly its files do not survive the host
 * @param copyOnWrite writing in place may need new space, so that preallocation is no promise
 */
record FileSystemKind(String name, boolean memoryOnly, boolean copyOnWrite) {
    /** Of persistent memory that is a device by itself. */
    static final FileSystemKind NONE = new FileSystemKind("device DAX", false, false);

    static FileSystemKind of(long magic) {
        return switch ((int) magic) {
            case 0x01021994 -> new FileSystemKind("tmpfs", true, false);
            case 0x858458f6 -> new FileSystemKind("ramfs", true, false);
            case 0x958458f6 -> new FileSystemKind("hugetlbfs", true, false);
            case 0xEF53 -> new FileSystemKind("ext4", false, false);
            case 0x58465342 -> new FileSystemKind("xfs", false, false);
            case 0x9123683E -> new FileSystemKind("btrfs", false, true);
            case 0xF2F52010 -> new FileSystemKind("f2fs", false, false);
            case 0x2FC12FC1 -> new FileSystemKind("zfs", false, true);
            case 0xCA451A4E -> new FileSystemKind("bcachefs", false, true);
            case 0x794C7630 -> new FileSystemKind("overlayfs", false, false);
            case 0x6969 -> new FileSystemKind("nfs", false, false);
            default -> new FileSystemKind("filesystem 0x" + Long.toHexString(magic), false, false);
        };
    }
}
