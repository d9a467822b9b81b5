package io.tesserafs.fuse.protocol;

/**
 * One entry of a directory listing; entries are padded to 8 bytes. The READDIR request has the form of {@link FileLayout}'s read_in, the
 * offset being a cookie.
 *
 * <pre>
 * dirent:      0 ino | 8 off (u64; the cookie of the next entry) | 16 namelen | 20 type (u32) | 24 name
 * direntplus:  0 entry_out (128 bytes; nodeid 0: no reference is taken) | 128 dirent
 * </pre>
 */
final class DirentLayout {
    static final int INO = 0;
    static final int OFF = 8;
    static final int NAMELEN = 16;
    static final int TYPE = 20;
    static final int NAME = 24;

    static final int PLUS_ENTRY = 0;
    static final int PLUS_DIRENT = 128;

    private DirentLayout() {}
}
