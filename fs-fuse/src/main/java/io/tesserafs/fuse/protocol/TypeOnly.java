package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Attributes;

/** Attributes that say nothing but what kind of inode it is: for answers of which the kernel believes no more. */
record TypeOnly(long ino, int mode) implements Attributes {
    private static final int S_IFDIR = 0x4000;
    private static final int S_IFREG = 0x8000;

    static TypeOnly directory(long ino) {
        return new TypeOnly(ino, S_IFDIR);
    }

    static TypeOnly file(long ino) {
        return new TypeOnly(ino, S_IFREG);
    }

    @Override
    public int nlink() {
        return 1;
    }

    @Override
    public int uid() {
        return 0;
    }

    @Override
    public int gid() {
        return 0;
    }

    @Override
    public int rdev() {
        return 0;
    }

    @Override
    public long size() {
        return 0;
    }

    @Override
    public long blocks() {
        return 0;
    }

    @Override
    public long atimeNs() {
        return 0;
    }

    @Override
    public long mtimeNs() {
        return 0;
    }

    @Override
    public long ctimeNs() {
        return 0;
    }

    @Override
    public long btimeNs() {
        return 0;
    }
}
